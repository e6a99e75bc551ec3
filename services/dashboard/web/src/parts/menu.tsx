// SPDX-License-Identifier: Apache-2.0
// The actions of one thing. What cannot be done now stays in the list, and says why.

import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react';

export interface Action {
  label: string;
  run: () => void;
  /** Why it cannot be done now. */
  why?: string;
  danger?: boolean;
}

export function Menu({ label, actions, text }: { label: string; actions: Action[]; text?: string }) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const id = useId();

  useEffect(() => {
    if (!open) return;
    room(box.current);
    items(box.current)[0]?.focus();
    const outside = (event: Event) => {
      if (!box.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, [open]);

  const close = () => {
    setOpen(false);
    opener.current?.focus();
  };
  const keys = (event: KeyboardEvent) => {
    const all = items(box.current);
    const at = all.indexOf(document.activeElement as HTMLElement);
    if (event.key === 'ArrowDown') all[(at + 1) % all.length]?.focus();
    else if (event.key === 'ArrowUp') all[(at - 1 + all.length) % all.length]?.focus();
    else if (event.key === 'Home') all[0]?.focus();
    else if (event.key === 'End') all.at(-1)?.focus();
    else if (event.key === 'Escape') close();
    else if (event.key === 'Tab') return setOpen(false);
    else if (event.key.length === 1 && event.key !== ' ') byLetter(all, at, event.key);
    else return;
    event.preventDefault();
  };

  return (
    <div className="menu" ref={box}>
      <button
        type="button" className={text ? 'button plain' : 'button quiet dots'} ref={opener} aria-label={label} aria-haspopup="menu" aria-expanded={open}
        onClick={() => setOpen(!open)}
        onKeyDown={(event) => {
          if (event.key !== 'ArrowDown') return;
          event.preventDefault();
          setOpen(true);
        }}
      >
        {text ? <>{text} <span aria-hidden="true">▾</span></> : <span aria-hidden="true">⋯</span>}
      </button>
      {open && (
        <div className="menu-items" role="menu" aria-label={label} onKeyDown={keys}>
          {actions.map((action, at) => (
            <button
              key={action.label} type="button" role="menuitem" tabIndex={-1} className={action.danger ? 'danger' : undefined}
              aria-disabled={action.why ? true : undefined}
              aria-describedby={action.why ? `${id}-${at}` : undefined}
              onClick={() => {
                if (action.why) return;
                close();
                action.run();
              }}
            >
              {action.label}
              {action.why && <small id={`${id}-${at}`}>{action.why}</small>}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

/** Where there is more room above than below it opens upwards, and it is never longer than the window. */
function room(box: HTMLElement | null): void {
  const list = box?.querySelector<HTMLElement>('[role=menu]');
  if (!box || !list) return;
  const { top, bottom } = box.getBoundingClientRect();
  const below = innerHeight - bottom;
  const up = list.scrollHeight + 12 > below && top > below;
  list.classList.toggle('up', up);
  list.style.maxHeight = `${Math.max(160, (up ? top - 64 : below) - 14)}px`;
}

function items(box: HTMLElement | null): HTMLElement[] {
  return [...(box?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])];
}

function byLetter(all: HTMLElement[], at: number, letter: string): void {
  const order = [...all.slice(at + 1), ...all.slice(0, at + 1)];
  order.find((item) => item.textContent?.toLowerCase().startsWith(letter.toLowerCase()))?.focus();
}
