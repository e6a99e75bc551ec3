// SPDX-License-Identifier: Apache-2.0
// The head of a page, and what stands in its place while there is nothing yet. The heading takes the focus when the page comes,
// so that whoever listens hears where he is.

import { type ReactNode, useEffect, useRef } from 'react';

import { Link } from '../shell/router';
import type { Read } from '../wire';
import { Refused } from './refusal';

interface PageProps {
  title: string;
  /** Where it belongs, with the address of that. */
  under?: [string, string];
  lead?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

export function Page({ title, under, lead, actions, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, []);
  useEffect(() => {
    document.title = `${title} – Ferrostack`;
  }, [title]);
  return (
    <>
      <header className="page-head">
        <div>
          {under && <p className="under"><Link to={under[1]}>{under[0]}</Link></p>}
          <h1 tabIndex={-1} ref={heading}>{title}</h1>
          {lead && <p className="lead">{lead}</p>}
        </div>
        {actions && <div className="buttons">{actions}</div>}
      </header>
      {children}
    </>
  );
}

/** What was read, or what there is to say while it was not. */
export function Shown<T>({ of, children }: { of: Read<T>; children: (value: T) => ReactNode }) {
  if (of.value === undefined) {
    if (of.refusal) return <Refused refusal={of.refusal} what="This could not be read." />;
    return <p className="waiting" aria-busy="true">Reading…</p>;
  }
  return (
    <>
      {of.refusal && <Refused refusal={of.refusal} what="This could not be read anew." />}
      {children(of.value)}
    </>
  );
}

/** A list of what is known of a thing. */
export function Facts({ of }: { of: [string, ReactNode][] }) {
  return (
    <dl className="facts">
      {of.filter(([, value]) => value !== undefined && value !== null && value !== '').map(([name, value]) => (
        <div key={name}><dt>{name}</dt><dd>{value}</dd></div>
      ))}
    </dl>
  );
}

export function Section({ title, actions, children }: { title: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className="section" aria-label={title}>
      <div className="section-head"><h2>{title}</h2>{actions && <div className="buttons">{actions}</div>}</div>
      {children}
    </section>
  );
}
