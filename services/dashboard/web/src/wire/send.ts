// SPDX-License-Identifier: Apache-2.0
// Uploads, with word on how far they are. Only the older way of asking tells that.

import { address, headersFor } from './call';
import { Refusal, sentenceOf } from './refusal';
import type { Service } from './roots';

export interface Sending {
  done: Promise<void>;
  stop: () => void;
}

export function send(
  service: Service, path: string, file: Blob, headers: Record<string, string>, told: (share: number) => void,
): Sending {
  const ask = new XMLHttpRequest();
  const done = new Promise<void>((resolve, reject) => {
    ask.open('PUT', address(service, path));
    for (const [name, value] of Object.entries({ ...headersFor(service), ...headers })) ask.setRequestHeader(name, value);
    ask.upload.onprogress = (event) => told(event.total > 0 ? event.loaded / event.total : 0);
    ask.onload = () => {
      if (ask.status >= 200 && ask.status < 300) return resolve();
      const id = ask.getResponseHeader('x-openstack-request-id') ?? ask.getResponseHeader('x-trans-id') ?? undefined;
      reject(new Refusal(ask.status, sentenceOf(ask.responseText, ask.status), id));
    };
    ask.onerror = () => reject(new Refusal(0, 'The upload broke off: the cloud could not be reached any more.'));
    ask.onabort = () => reject(new Refusal(0, 'The upload was stopped.'));
    ask.send(file);
  });
  return { done, stop: () => ask.abort() };
}
