// SPDX-License-Identifier: Apache-2.0
// The frame around every page: where one can go, for which project one works, and who one is.

import { Suspense, useEffect, useState } from 'react';

import { Menu } from '../parts/menu';
import { Select } from '../parts/field';
import { ChangePassword } from '../session/password';
import { type Named, useSession } from '../session/session';
import { useList } from '../wire/lists';
import { announce, Announcements } from './announce';
import { Boundary } from './boundary';
import { menusFor } from './menus';
import { go, Link, matches, usePath } from './router';
import { PAGES } from './pages';
import { setTheme, theme, type Theme } from './theme';

export function Shell() {
  const session = useSession();
  const path = usePath();
  const [open, setOpen] = useState(false);
  const project = session.token.project?.id ?? '';

  useEffect(() => setOpen(false), [path]);

  return (
    <>
      <a className="skip" href="#main">Skip to the page</a>
      <header className="top">
        <button type="button" className="button quiet top-menu" aria-expanded={open} aria-controls="places" onClick={() => setOpen(!open)}>Menu</button>
        <Link to="/" className="brand"><img src="/dashboard/mark.svg" alt="" width="26" height="26" /> Ferrostack</Link>
        <ProjectChoice />
        <span className={session.live ? 'pulse live' : 'pulse'} title={session.live ? 'Changes show at once.' : 'Changes show within seconds.'} />
        <WhoMenu />
      </header>
      <div className="frame">
        <nav id="places" className={open ? 'places open' : 'places'} aria-label="Main">
          {menusFor(session).map((menu) => (
            <div key={menu.name}>
              {menu.name && <h2>{menu.name}</h2>}
              <ul>
                {menu.entries.map((entry) => (
                  <li key={entry.to}>
                    <Link to={entry.to} aria-current={current(entry.to, path) ? 'page' : undefined}>{entry.name}</Link>
                  </li>
                ))}
              </ul>
            </div>
          ))}
        </nav>
        <main id="main" tabIndex={-1}>
          {/* Another project is another world: nothing of the page before is kept. */}
          <Suspense key={`${project} ${path}`} fallback={<p className="waiting" aria-busy="true">Loading…</p>}>
            <Boundary><Where path={path} /></Boundary>
          </Suspense>
        </main>
      </div>
      <Announcements />
    </>
  );
}

function current(to: string, path: string): boolean {
  return to === '/' ? path === '/' : path === to || path.startsWith(`${to}/`);
}

function Where({ path }: { path: string }) {
  for (const [form, Page] of PAGES) {
    const found = matches(form, path);
    if (found) return <Page found={found} />;
  }
  return (
    <div className="empty">
      <h1>There is no such page</h1>
      <p>The address may be mistyped. <Link to="/">Go to the overview</Link>.</p>
    </div>
  );
}

function ProjectChoice() {
  const session = useSession();
  const mine = useList<Named>('identity', '/auth/projects', 'projects', ['project', 'assignment', 'role_assignment']);
  const now = session.token.project;
  const projects = mine.value ?? (now ? [now] : []);
  const choose = async (id: string) => {
    try {
      await session.scopeTo(id);
      // A thing of one project is not found in another, but its list is.
      go(`/${location.pathname.split('/')[2] ?? ''}`, true);
      announce(`Now in project ${projects.find((one) => one.id === id)?.name ?? ''}.`);
    } catch {
      announce('That project cannot be worked in at the moment.');
    }
  };
  return (
    <div className="project-choice">
      <Select
        name="project-choice" label="Project" value={now?.id ?? ''} none={now ? undefined : 'Choose a project'} onChange={(id) => void choose(id)}
        choices={projects.map((one) => ({ value: one.id, label: one.name }))}
      />
    </div>
  );
}

const NEXT: Record<Theme, [Theme, string]> = {
  system: ['dark', 'Dark colours'], dark: ['light', 'Light colours'], light: ['system', 'Colours as the computer has them'],
};

function WhoMenu() {
  const session = useSession();
  const [now, setNow] = useState(theme());
  const [next, words] = NEXT[now];
  const [changing, setChanging] = useState(false);
  return (
    <>
      {changing && <ChangePassword onClose={() => setChanging(false)} />}
      <Menu
        label={`You are ${session.token.user.name}`} text={session.token.user.name}
        actions={[
          {
            label: words,
            run: () => {
              setTheme(next);
              setNow(next);
            },
          },
          { label: 'Change the password', run: () => setChanging(true) },
          { label: 'Sign out', run: () => void session.signOut() },
        ]}
      />
    </>
  );
}
