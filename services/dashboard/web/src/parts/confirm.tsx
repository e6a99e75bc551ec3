// SPDX-License-Identifier: Apache-2.0
// Nothing is destroyed before its name was read: the question names the thing, and so does the button.

import { useState } from 'react';

import { announce } from '../shell/announce';
import { asRefusal, type Refusal } from '../wire';
import { Button } from './button';
import { Dialog } from './dialog';
import { Refused } from './refusal';

export interface Question {
  /** `Delete`, `Rebuild`. */
  verb: string;
  /** `server`, or `servers` when they are many. */
  noun: string;
  names: string[];
  /** What becomes of it, in a sentence. */
  means: string;
  /** Does it to the one at this place of `names`. */
  run: (at: number) => Promise<unknown>;
  done?: () => void;
}

/** How many are asked for side by side: quick for hundreds, and no flood. */
const ABREAST = 4;

export function Confirm({ question, onClose }: { question: Question; onClose: () => void }) {
  const { verb, noun, names, means } = question;
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<[string, Refusal][]>([]);
  const what = names.length === 1 ? names[0]! : `${names.length} ${noun}`;

  const run = async () => {
    setBusy(true);
    const failed: [string, Refusal][] = [];
    let next = 0;
    const one = async () => {
      for (let at = next++; at < names.length; at = next++) {
        try {
          await question.run(at);
        } catch (error) {
          failed.push([names[at]!, asRefusal(error)]);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(ABREAST, names.length) }, one));
    setBusy(false);
    setRefused(failed);
    if (failed.length > 0) return;
    announce(`${verb} ${what}: asked for.`);
    onClose();
    question.done?.();
  };

  return (
    <Dialog title={`${verb} ${what}?`} onClose={onClose}>
      <p>{means}</p>
      {names.length > 1 && <ul className="names">{names.map((name, at) => <li key={at}>{name}</li>)}</ul>}
      {refused.map(([name, refusal], at) => <Refused key={at} refusal={refusal} what={`${name}:`} grab={at === 0} />)}
      <div className="buttons">
        <Button look="danger" why={busy ? 'It is under way.' : undefined} onPress={() => void run()}>{verb} {what}</Button>
        <Button onPress={onClose}>Cancel</Button>
      </div>
    </Dialog>
  );
}
