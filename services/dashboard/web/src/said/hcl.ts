// SPDX-License-Identifier: Apache-2.0
// What a form does, as Terraform (or OpenTofu) with the provider of OpenStack.

export class Raw {
  constructor(readonly text: string) {}
}

export type Value = string | number | boolean | Raw | readonly Value[] | { readonly [key: string]: Value };

export interface Block {
  type: 'resource' | 'data';
  kind: string;
  name: string;
  with: Record<string, Value | undefined>;
  /** Blocks inside of it, such as the networks of a server. */
  inside?: [string, Record<string, Value | undefined>][];
}

/** Names of tenants are any text; Terraform's are words. */
export function label(text: string): string {
  const word = text.toLowerCase().replace(/[^a-z0-9_]+/g, '_').replace(/^_+|_+$/g, '');
  return /^[a-z_]/.test(word) ? word : `it_${word}`.replace(/_$/, '');
}

export function resource(kind: string, name: string, body: Block['with'], inside?: Block['inside']): Block {
  return { type: 'resource', kind: `openstack_${kind}`, name: label(name), with: body, inside };
}

export function hcl(blocks: readonly Block[]): string {
  return blocks.map(block).join('\n\n');
}

function block(one: Block): string {
  const inside = (one.inside ?? []).map(([name, body]) => `\n  ${name} {\n${lines(body, '    ')}\n  }`);
  const own = lines(one.with, '  ');
  return `${one.type} "${one.kind}" "${one.name}" {\n${own}${inside.map((text) => `\n${text}`).join('')}\n}`;
}

function lines(body: Record<string, Value | undefined>, indent: string): string {
  const given = Object.entries(body).filter((pair): pair is [string, Value] => pair[1] !== undefined && pair[1] !== '');
  const wide = Math.max(0, ...given.map(([key]) => key.length));
  return given.map(([key, value]) => `${indent}${key.padEnd(wide)} = ${expression(value)}`).join('\n');
}

function expression(value: Value): string {
  if (value instanceof Raw) return value.text;
  if (typeof value === 'string') return text(value);
  if (Array.isArray(value)) return `[${value.map(expression).join(', ')}]`;
  if (typeof value === 'object') {
    return `{ ${Object.entries(value).map(([key, one]) => `${text(key)} = ${expression(one as Value)}`).join(', ')} }`;
  }
  return String(value);
}

/** A text with the number of the copy behind it. */
export function numbered(name: string): Raw {
  return new Raw(`${text(name).slice(0, -1)}-\${count.index + 1}"`);
}

/** `${` and `%{` begin expressions in Terraform's texts, and nothing that a tenant names may be one. */
function text(value: string): string {
  return JSON.stringify(value).replaceAll('${', () => '$${').replaceAll('%{', '%%{');
}
