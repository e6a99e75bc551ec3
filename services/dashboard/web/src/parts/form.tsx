// SPDX-License-Identifier: Apache-2.0
// A form: its questions as a list, what it says of itself in writing, and what happens when it is sent.

import { type FormEvent, type ReactNode, useRef, useState } from 'react';

import { AsText, type Said } from '../said/said';
import { asRefusal, type Refusal } from '../wire';
import { Button } from './button';
import { Area, type Choice, File as FileField, Select, Several, Switch, Text } from './field';
import { Refused } from './refusal';

export type Answer = string | boolean | string[] | File | undefined;
export type Answers = Record<string, Answer>;

export interface Question<V> {
  name: keyof V & string;
  label: string;
  kind?: 'text' | 'number' | 'password' | 'email' | 'area' | 'select' | 'switch' | 'several' | 'file';
  help?: ReactNode;
  choices?: readonly Choice[];
  /** What a selection of nothing is called. */
  none?: string;
  required?: boolean;
  placeholder?: string;
  min?: number;
  max?: number;
  rows?: number;
  /** Asked only then. */
  when?: (values: V) => boolean;
  /** What is wrong with the answer. */
  wrong?: (values: V) => string | undefined;
  /** Shown only to those who ask for more. */
  more?: boolean;
}

interface FormProps<V> {
  questions: readonly Question<V>[];
  start: V;
  verb: string;
  send: (values: V) => Promise<unknown>;
  said?: (values: V) => Said;
  onDone: () => void;
  onCancel?: () => void;
  /** Why it cannot be sent. */
  why?: (values: V) => string | undefined;
  /** Something of one's own below the questions. */
  children?: (values: V, set: (change: Partial<V>) => void) => ReactNode;
}

export function Form<V extends { [K in keyof V]: Answer }>(props: FormProps<V>) {
  const { questions, start, verb, said, onDone, onCancel } = props;
  const [values, setValues] = useState<V>(start);
  const [refusal, setRefusal] = useState<Refusal>();
  const [busy, setBusy] = useState(false);
  const [tried, setTried] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const set = (change: Partial<V>) => setValues((now) => ({ ...now, ...change }));
  const asked = questions.filter((question) => question.when?.(values) ?? true);
  const wrongOf = (question: Question<V>) => (tried ? question.wrong?.(values) : undefined);

  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (busy || props.why?.(values)) return;
    setTried(true);
    if (asked.some((question) => question.wrong?.(values))) {
      requestAnimationFrame(() => form.current?.querySelector<HTMLElement>('[aria-invalid]')?.focus());
      return;
    }
    setBusy(true);
    setRefusal(undefined);
    try {
      await props.send(values);
      onDone();
    } catch (error) {
      setRefusal(asRefusal(error));
    } finally {
      setBusy(false);
    }
  };

  const first = asked[0]?.name;
  const show = (question: Question<V>) => (
    <Asked key={question.name} question={question} value={values[question.name]} first={question.name === first}
      wrong={wrongOf(question)} onChange={(value) => set({ [question.name]: value } as Partial<V>)} />
  );
  const more = asked.filter((question) => question.more);
  return (
    <div className={said ? 'form-place with-said' : 'form-place'}>
      <form className="form" ref={form} onSubmit={(event) => void send(event)}>
        {asked.filter((question) => !question.more).map(show)}
        {props.children?.(values, set)}
        {more.length > 0 && <details className="more"><summary>More choices</summary>{more.map(show)}</details>}
        {refusal && <Refused refusal={refusal} grab />}
        <div className="buttons">
          <Button look="main" submit why={busy ? 'It is under way.' : props.why?.(values)}>{verb}</Button>
          {onCancel && <Button onPress={onCancel}>Cancel</Button>}
        </div>
      </form>
      {said && <AsText said={said(values)} />}
    </div>
  );
}

function Asked<V>({ question, value, wrong, first, onChange }: {
  question: Question<V>; value: Answer; wrong?: string; first: boolean; onChange: (value: Answer) => void;
}) {
  const { name, label, help, kind = 'text', required, placeholder } = question;
  const common = { name, label, help, wrong };
  const text = typeof value === 'string' ? value : '';
  switch (kind) {
    case 'area':
      return <Area {...common} value={text} onChange={onChange} rows={question.rows} required={required} placeholder={placeholder} />;
    case 'select':
      return <Select {...common} value={text} onChange={onChange} choices={question.choices ?? []} none={question.none} required={required} />;
    case 'switch':
      return <Switch {...common} checked={value === true} onChange={onChange} />;
    case 'several':
      return <Several {...common} value={Array.isArray(value) ? value : []} onChange={onChange} choices={question.choices ?? []} />;
    case 'file':
      return <FileField {...common} onChange={onChange} required={required} />;
    default:
      return (
        <Text {...common} type={kind} value={text} onChange={onChange} required={required} placeholder={placeholder} first={first}
          min={question.min} max={question.max} complete={kind === 'password' ? 'new-password' : undefined} />
      );
  }
}
