/**
 * A shell script for root that installs packages without asking anything, and without starting the services in them.
 *
 * Debian starts a service as it installs it, unless `policy-rc.d` forbids it. If the machine has such a policy, it stays;
 * if not, there is one for the time being, which goes however the script ends short of -9.
 *
 * @param policyFile where the machine keeps the policy
 */
export function aptScript(packages: readonly string[], policyFile = '/usr/sbin/policy-rc.d'): string {
  return `
    set -eu
    export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

    if [ ! -e '${policyFile}' ]; then
      trap "rm -f '${policyFile}'" EXIT
      trap 'exit 1' HUP INT TERM
      printf '#!/bin/sh\\nexit 101\\n' > '${policyFile}'
      chmod 755 '${policyFile}'
    fi

    apt() {
      for attempt in 1 2 3; do
        apt-get -q -y -o Acquire::Retries=3 -o Acquire::http::Timeout=30 -o DPkg::Lock::Timeout=300 "$@" && return
        sleep "$attempt"
      done
      return 1
    }

    # A repository of somebody else's that does not answer need not keep these from being found.
    apt update || echo 'apt-get update failed; trying with the lists that are here'
    apt install --no-install-recommends ${packages.join(' ')}
  `;
}
