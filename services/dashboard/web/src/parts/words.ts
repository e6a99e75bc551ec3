// SPDX-License-Identifier: Apache-2.0
// Sizes and times as people say them.

export function bytes(count: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  let left = count;
  while (left >= 1024 && at < units.length - 1) {
    left /= 1024;
    at += 1;
  }
  return `${at === 0 || left >= 100 ? Math.round(left) : left.toFixed(1)} ${units[at]}`;
}

export function mebibytes(count: number): string {
  return count >= 1024 ? `${+(count / 1024).toFixed(1)} GiB` : `${count} MiB`;
}

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const near = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });

/** Services write their times in UTC, some of them without saying so. */
export function moment(text: string): Date {
  return new Date(/[zZ]|[+-]\d\d:?\d\d$/.test(text) ? text : `${text}Z`);
}

export function when(text: string | null | undefined): string {
  if (!text) return '';
  return exact.format(moment(text));
}

export function ago(text: string | null | undefined): string {
  if (!text) return '';
  const seconds = (moment(text).getTime() - Date.now()) / 1000;
  const steps: [Intl.RelativeTimeFormatUnit, number][] = [['day', 86_400], ['hour', 3_600], ['minute', 60]];
  for (const [unit, length] of steps) if (Math.abs(seconds) >= length) return near.format(Math.round(seconds / length), unit);
  return near.format(Math.round(seconds), 'second');
}

/** What somebody reads for a thing that has no name. */
export function named(name: string | null | undefined, id: string): string {
  return name || id.slice(0, 8);
}

export function count(many: number, one: string, more = `${one}s`): string {
  return `${many} ${many === 1 ? one : more}`;
}
