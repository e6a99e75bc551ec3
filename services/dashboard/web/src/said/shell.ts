// SPDX-License-Identifier: Apache-2.0
// A command line that does what a form does.

/** Words of one command; what a shell would take for its own is quoted, and no control character is pasted into a terminal. */
export function commandLine(words: readonly string[]): string {
  return words.map(quoted).join(' ');
}

export function quoted(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  if (/[\u0000-\u001f\u007f-\u009f]/.test(word)) {
    return `$'${word.replace(/[\\'\u0000-\u001f\u007f-\u009f]/g, (one) => (one === '\\' || one === "'" ? `\\${one}` : `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`))}'`;
  }
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** An option with its value, or nothing where there is no value. */
export function option(name: string, value: string | number | undefined | null): string[] {
  return value === undefined || value === null || value === '' ? [] : [name, String(value)];
}

export function flag(name: string, on: boolean | undefined): string[] {
  return on ? [name] : [];
}
