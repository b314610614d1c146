export type {
  Aside,
  Broker,
  BrokerFeatures,
  ConsumeOptions,
  Consumer,
  Delivery,
  Depth,
  Located,
  Outcome,
  Parking,
  PublishOptions,
  QueueOptions,
  Room,
  RoomRef,
  RoomState,
  Taken,
  TakeOptions,
  Whereabouts,
} from './brokers/broker.js';
export { memoryBroker } from './brokers/memory.js';
export type { Clock } from './clock.js';
export type { LimitDecorator } from './decorators/limit-decorator.js';
export { limited, locked } from './decorators/locked.js';
export { type TaskDecorator, task } from './decorators/task.js';
export type { Duration } from './duration.js';
export {
  BrokerUnavailableError,
  BusyError,
  ClosedError,
  ConfigError,
  CoordinatorUnavailableError,
  LockkeeperError,
  LockTimeoutError,
  MalformedMessageError,
  MaxHoldError,
  MaxWaitError,
  MessageError,
  PermitLostError,
  PermitReleasedError,
  ResultStoreUnavailableError,
  ResultTimeoutError,
  ShutdownError,
  SoftTimeLimitError,
  TaskExpiredError,
  TaskRevokedError,
  TaskSetAsideError,
  TaskSkippedError,
  TimeLimitError,
} from './errors.js';
export type { Unsubscribe } from './events.js';
export type {
  Booking,
  BookRequest,
  Claim,
  ClaimRef,
  ClaimState,
  Coordinator,
  CoordinatorFeatures,
  Entered,
  EnterRequest,
  Renewal,
  ResourceState,
} from './locks/coordinator.js';
export { createLocks, type LocksOptions } from './locks/create-locks.js';
export type { Limit, LockOptions, RateOptions } from './locks/limit.js';
export type { AcquireOptions, Locks } from './locks/locks.js';
export { memoryCoordinator } from './locks/memory.js';
export type { Permit } from './locks/permit.js';
export type { RateText } from './locks/rate.js';
export type { ResourceOptions } from './locks/resources.js';
export type { Message, RemoteError, Reply } from './message.js';
export { memoryResults } from './results/memory.js';
export type { ResultStore, ResultStoreFeatures, StoredState } from './results/result-store.js';
export { type App, type AppOptions, createApp } from './tasks/app.js';
export type { CallOptions } from './tasks/call.js';
export { type CurrentTask, currentTask } from './tasks/context.js';
export type { AppEvents } from './tasks/events.js';
export { LockedTask } from './tasks/locked-task.js';
export type { Handles } from './tasks/methods.js';
export type { ResourceReport } from './tasks/operator/resources.js';
export type { Why } from './tasks/operator/why.js';
export type { AsideReport, Operator, QueueReport } from './tasks/operator.js';
export type { TaskDefinition, TaskOptions, TimeLimit } from './tasks/options.js';
export type { RemoteCallOptions, RemoteOptions, RemoteTask } from './tasks/remote.js';
export type { TaskResult, TaskState } from './tasks/result.js';
export type { RetryOptions } from './tasks/retry.js';
export type { Task } from './tasks/task.js';
export type { BrokerHealth, CoordinatorHealth, Health, HealthOptions } from './worker/health.js';
export { type HealthServer, type HealthServerOptions, serveHealth } from './worker/health-server.js';
export { type MeasureOptions, measure } from './worker/meter.js';
export type { WorkerOptions } from './worker/settings.js';
export { createWorker, type Worker } from './worker/worker.js';
