// SPDX-License-Identifier: Apache-2.0
// What a service said when it did not do what it was asked, in one shape whatever the service.

export class Refusal extends Error {
  constructor(
    readonly status: number,
    /** The service's own sentence. */
    readonly cause: string,
    readonly requestId?: string,
  ) {
    super(cause);
    this.name = 'Refusal';
  }

  /** What one can do about it, in plain words. */
  get wayOut(): string {
    const words = this.cause.toLowerCase();
    if (this.status === 0) return 'Check that this computer is connected, then try again. Nothing was lost.';
    if (this.status === 401) return 'Sign in again.';
    if (/quota|exceed|limit/.test(words) && [403, 409, 413].includes(this.status)) {
      return 'Delete what is not needed any more, or ask the operator for a larger quota. Overview shows what is in use.';
    }
    if (this.status === 403) return 'Ask somebody who manages this project for the role that allows it.';
    if (this.status === 404) return 'It may have been deleted meanwhile. Go back to the list to see what is there.';
    if (/in use|attached|associated|ports? still|not empty/.test(words)) return 'Take it out of use first, then try again.';
    if (this.status === 409) return 'Something else is changing it at the moment. Wait until it is done, then try again.';
    if (this.status === 413) return 'It is larger than allowed. Choose something smaller.';
    if (this.status === 429) return 'Wait a moment, then try again.';
    if (this.status >= 500) return 'Try again in a moment. If it stays so, give the operator the request id below.';
    return 'Change what the sentence names, then try again.';
  }
}

/** Each service has a fault of its own shape; all of them carry one sentence. */
export function sentenceOf(body: string, status: number): string {
  try {
    const json = JSON.parse(body) as Record<string, unknown>;
    const found = sentenceIn(json);
    if (found) return found;
  } catch {
    const plain = body.replace(/<(title|h1)>[^<]*<\/\1>/gi, ' ').replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ').trim();
    if (plain) return plain.slice(0, 500);
  }
  return `The service answered with status ${status} and no further word.`;
}

function sentenceIn(json: Record<string, unknown>): string | undefined {
  for (const key of ['message', 'faultstring', 'detail']) {
    const value = json[key];
    if (typeof value === 'string' && value) return value;
  }
  const errors = json['errors'];
  if (Array.isArray(errors) && errors[0]) return sentenceIn(errors[0] as Record<string, unknown>);
  for (const value of Object.values(json)) {
    if (value && typeof value === 'object' && !Array.isArray(value)) {
      const inner = sentenceIn(value as Record<string, unknown>);
      if (inner) return inner;
    }
  }
  return undefined;
}

export function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  return new Refusal(0, error instanceof Error ? error.message : String(error));
}
