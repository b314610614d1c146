import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface Question {
  readonly port: number;
  readonly text: string;
  /** When to stop reading. Default: when the server closes the connection. */
  readonly until?: RegExp;
  /** The certificate to trust, when the server speaks TLS. */
  readonly ca?: string;
}

/** Sends a text to a server on 127.0.0.1 and reads the answer, for 1 s at most. */
export function ask({ port, text, until, ca }: Question): Promise<string> {
  return new Promise((resolve, reject) => {
    const at = { port, host: '127.0.0.1' };
    const socket = ca === undefined ? connect(at) : connectTls({ ...at, ca, servername: 'localhost' });
    let answer = '';
    const done = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => socket.destroy(new Error(`No answer from port ${port} in 1 s`)), 1_000);
    socket.setEncoding('utf8');
    socket.once(ca === undefined ? 'connect' : 'secureConnect', () => socket.write(text));
    socket.on('data', (part: string) => {
      answer += part;
      if (until?.test(answer)) done();
    });
    socket.once('end', done);
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}
