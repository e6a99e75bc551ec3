// SPDX-License-Identifier: Apache-2.0
// What the machine wrote to its console.

import { Button, Section, Shown } from '../parts';
import { call, touch, useRead } from '../wire';

const LINES = 200;

export function Log({ id }: { id: string }) {
  const log = useRead(`log ${id}`, ['console_log'], async () => {
    const answer = await call<{ output: string }>('compute', `/servers/${id}/action`, { method: 'POST', json: { 'os-getConsoleOutput': { length: LINES } } });
    return answer.output;
  });
  return (
    <Section title="Console log" actions={<Button onPress={() => touch('console_log')}>Read again</Button>}>
      <Shown of={log}>
        {(text) => <pre className="log" tabIndex={0} role="group" aria-label="What it wrote">{text || 'It has not written anything yet.'}</pre>}
      </Shown>
    </Section>
  );
}
