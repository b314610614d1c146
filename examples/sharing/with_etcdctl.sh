#!/bin/sh
# Shares a lock with Lockkeeper. Arguments: the endpoint of etcd. Needs etcdctl 3.4 or later.
set -eu

# The resource `nightly-report`, with the prefix `lk/`. A process that dies keeps it for as long as --ttl says, in seconds.
etcdctl --endpoints="$1" lock --ttl=15 lk/nightly-report echo 'The shell holds nightly-report'
