// SPDX-License-Identifier: Apache-2.0
// What was refused: the cause, the way out, and the id by which the operator finds it.

import { useEffect, useRef } from 'react';

import type { Refusal } from '../wire';

/** `grab`: the keyboard goes there, as after a button that was pressed in vain. */
export function Refused({ refusal, what, grab }: { refusal: Refusal; what?: string; grab?: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (grab) box.current?.focus();
  }, [grab, refusal]);
  return (
    <div className="refused" role="alert" tabIndex={-1} ref={box}>
      <p className="refused-cause"><strong>{what ?? 'That was refused.'}</strong> {refusal.cause}</p>
      <p>{refusal.wayOut}</p>
      {refusal.requestId && <p className="refused-id">Request id <code>{refusal.requestId}</code></p>}
    </div>
  );
}
