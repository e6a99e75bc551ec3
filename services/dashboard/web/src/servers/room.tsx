// SPDX-License-Identifier: Apache-2.0
// What a launch would use, and whether the quota has room for it: seen before it is asked for.

import { count, mebibytes } from '../parts';
import type { Limits } from '../overview/limits';
import type { Flavor } from './api';

export function roomFor(limits: Limits | undefined, flavor: Flavor | undefined, many: number): string | undefined {
  if (!limits || !flavor) return undefined;
  const lacks: [string, number, number, number, (amount: number) => string][] = [
    ['servers', limits.totalInstancesUsed, many, limits.maxTotalInstances, String],
    ['processors', limits.totalCoresUsed, flavor.vcpus * many, limits.maxTotalCores, String],
    ['memory', limits.totalRAMUsed, flavor.ram * many, limits.maxTotalRAMSize, mebibytes],
  ];
  for (const [what, used, more, most, say] of lacks) {
    if (most >= 0 && used + more > most) return `The quota of ${what} is ${say(most)}, and ${say(used)} are in use. Delete something, or ask the operator for more.`;
  }
  return undefined;
}

export function Room({ limits, flavor, count: many }: { limits?: Limits; flavor?: Flavor; count: number }) {
  if (!limits || !flavor) return null;
  const left = (used: number, most: number, say: (amount: number) => string) => (most < 0 ? 'no limit' : `${say(Math.max(0, most - used))} left`);
  return (
    <p className="note">
      It takes {count(flavor.vcpus * many, 'processor')} ({left(limits.totalCoresUsed, limits.maxTotalCores, String)})
      {' '}and {mebibytes(flavor.ram * many)} of memory ({left(limits.totalRAMUsed, limits.maxTotalRAMSize, mebibytes)});
      {' '}{limits.maxTotalInstances < 0 ? 'servers have no limit' : `${Math.max(0, limits.maxTotalInstances - limits.totalInstancesUsed)} more servers are allowed`}.
    </p>
  );
}
