// SPDX-License-Identifier: Apache-2.0
// One question of a form, with its label, its help and what is wrong with the answer.

import { type ReactNode, useId } from 'react';

export interface Choice {
  value: string;
  label: string;
  /** A second line. */
  help?: string;
  /** Why it cannot be chosen. */
  why?: string;
}

interface Common {
  name: string;
  label: string;
  help?: ReactNode;
  wrong?: string;
}

interface Asked {
  id: string;
  'aria-describedby'?: string;
  'aria-invalid'?: true;
}

function Around({ label, help, wrong, children }: Common & { children: (asked: Asked) => ReactNode }) {
  const id = useId();
  const described = [help && `${id}-help`, wrong && `${id}-wrong`].filter(Boolean).join(' ') || undefined;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, 'aria-describedby': described, 'aria-invalid': wrong ? true : undefined })}
      {help && <p className="help" id={`${id}-help`}>{help}</p>}
      {wrong && <p className="wrong" id={`${id}-wrong`}>{wrong}</p>}
    </div>
  );
}

export interface TextProps extends Common {
  value: string;
  onChange: (value: string) => void;
  type?: 'text' | 'number' | 'password' | 'email';
  required?: boolean;
  placeholder?: string;
  min?: number;
  max?: number;
  complete?: string;
  first?: boolean;
}

export function Text({ value, onChange, type = 'text', required, placeholder, min, max, complete, first, ...common }: TextProps) {
  return (
    <Around {...common}>
      {(asked) => (
        <input
          {...asked} name={common.name} type={type} value={value} required={required} placeholder={placeholder} min={min} max={max}
          autoComplete={complete ?? 'off'} spellCheck={false} autoFocus={first} onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Around>
  );
}

export function Area({ value, onChange, rows = 5, required, placeholder, ...common }: Common & {
  value: string; onChange: (value: string) => void; rows?: number; required?: boolean; placeholder?: string;
}) {
  return (
    <Around {...common}>
      {(asked) => (
        <textarea
          {...asked} name={common.name} rows={rows} value={value} required={required} placeholder={placeholder} spellCheck={false}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Around>
  );
}

export function Select({ value, onChange, choices, none, required, ...common }: Common & {
  value: string; onChange: (value: string) => void; choices: readonly Choice[]; none?: string; required?: boolean;
}) {
  return (
    <Around {...common}>
      {(asked) => (
        <select {...asked} name={common.name} value={value} required={required} onChange={(event) => onChange(event.target.value)}>
          {none !== undefined && <option value="">{none}</option>}
          {choices.map((choice) => (
            <option key={choice.value} value={choice.value} disabled={choice.why !== undefined}>
              {choice.label}{choice.help ? ` – ${choice.help}` : ''}{choice.why ? ` (${choice.why})` : ''}
            </option>
          ))}
        </select>
      )}
    </Around>
  );
}

export function Switch({ label, help, checked, onChange, name }: Common & { checked: boolean; onChange: (on: boolean) => void }) {
  const id = useId();
  return (
    <div className="field switch">
      <input
        id={id} name={name} type="checkbox" checked={checked} aria-describedby={help ? `${id}-help` : undefined}
        onChange={(event) => onChange(event.target.checked)}
      />
      <label htmlFor={id}>{label}</label>
      {help && <p className="help" id={`${id}-help`}>{help}</p>}
    </div>
  );
}

/** Several of a few. */
export function Several({ label, help, wrong, choices, value, onChange, name }: Common & {
  choices: readonly Choice[]; value: readonly string[]; onChange: (value: string[]) => void;
}) {
  const id = useId();
  return (
    <fieldset className="field several" aria-describedby={help ? `${id}-help` : undefined}>
      <legend>{label}</legend>
      {choices.map((choice) => (
        <label key={choice.value} className="choice">
          <input
            type="checkbox" name={name} checked={value.includes(choice.value)}
            onChange={(event) => onChange(event.target.checked ? [...value, choice.value] : value.filter((one) => one !== choice.value))}
          />
          <span>{choice.label}{choice.help && <small>{choice.help}</small>}</span>
        </label>
      ))}
      {help && <p className="help" id={`${id}-help`}>{help}</p>}
      {wrong && <p className="wrong">{wrong}</p>}
    </fieldset>
  );
}

export function File({ onChange, required, ...common }: Common & { onChange: (file: globalThis.File | undefined) => void; required?: boolean }) {
  return (
    <Around {...common}>
      {(asked) => <input {...asked} name={common.name} type="file" required={required} onChange={(event) => onChange(event.target.files?.[0])} />}
    </Around>
  );
}
