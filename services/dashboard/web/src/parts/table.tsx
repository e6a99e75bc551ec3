// SPDX-License-Identifier: Apache-2.0
// A list of things: found by typing, ordered by a press on a column's head, many at once by ticking them.
// Fifty rows are in the page at a time, so that a thousand things are as quick as ten.

import { type ReactNode, useId, useState } from 'react';

import { type Action, Menu } from './menu';
import { Button } from './button';

export interface Column<T> {
  name: string;
  /** What is searched and ordered by. */
  text: (row: T) => string | number;
  show?: (row: T) => ReactNode;
  /** Left out where the window is narrow. */
  extra?: boolean;
}

interface TableProps<T> {
  /** `Servers`: what the rows are. */
  label: string;
  rows: readonly T[];
  columns: readonly Column<T>[];
  id: (row: T) => string;
  name: (row: T) => string;
  actions?: (row: T) => Action[];
  /** What can be done with all that are ticked. */
  many?: { label: string; run: (rows: T[]) => void; danger?: boolean }[];
  empty: ReactNode;
}

const PAGE = 50;

export function Table<T>({ label, rows, columns, id, name, actions, many, empty }: TableProps<T>) {
  const [search, setSearch] = useState('');
  const [order, setOrder] = useState<{ by: number; down: boolean }>({ by: 0, down: false });
  const [page, setPage] = useState(0);
  const [ticked, setTicked] = useState<ReadonlySet<string>>(new Set());
  const field = useId();

  if (rows.length === 0) return <div className="empty">{empty}</div>;

  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = words.length === 0 ? [...rows] : rows.filter((row) => {
    const all = columns.map((column) => column.text(row)).join(' ').toLowerCase() + ` ${id(row)}`;
    return words.every((word) => all.includes(word));
  });
  const by = columns[order.by]!;
  found.sort((a, b) => compare(by.text(a), by.text(b)) * (order.down ? -1 : 1));
  const pages = Math.max(1, Math.ceil(found.length / PAGE));
  const at = Math.min(page, pages - 1);
  const seen = found.slice(at * PAGE, (at + 1) * PAGE);
  const chosen = found.filter((row) => ticked.has(id(row)));
  const all = chosen.length === found.length && found.length > 0;

  const tick = (row: T) => {
    const next = new Set(ticked);
    if (!next.delete(id(row))) next.add(id(row));
    setTicked(next);
  };

  return (
    <div className="table-place">
      {(rows.length > 5 || many) && (
        <div className="table-tools">
          <label htmlFor={field} className="unseen">Search {label.toLowerCase()}</label>
          <input
            id={field} type="search" placeholder={`Search ${label.toLowerCase()}`} value={search}
            onChange={(event) => {
              setSearch(event.target.value);
              setPage(0);
            }}
          />
          {many && chosen.length > 0 && many.map((one) => (
            <Button key={one.label} look={one.danger ? 'danger' : 'plain'} onPress={() => one.run(chosen)}>
              {one.label} {chosen.length}
            </Button>
          ))}
          <span className="table-count" role="status">{words.length > 0 ? `${found.length} of ${rows.length}` : `${rows.length} in all`}</span>
        </div>
      )}
      <table role="table" aria-label={label} aria-rowcount={found.length + 1}>
        <thead role="rowgroup">
          <tr role="row">
            {many && (
              <th role="columnheader" className="tick">
                <input
                  type="checkbox" aria-label={`All ${label.toLowerCase()}`} checked={all}
                  onChange={() => setTicked(all ? new Set() : new Set(found.map(id)))}
                />
              </th>
            )}
            {columns.map((column, place) => (
              <th
                key={column.name} role="columnheader" scope="col" className={column.extra ? 'extra' : undefined}
                aria-sort={order.by === place ? (order.down ? 'descending' : 'ascending') : undefined}
              >
                <button type="button" onClick={() => setOrder({ by: place, down: order.by === place && !order.down })}>
                  {column.name}
                </button>
              </th>
            ))}
            {actions && <th role="columnheader" className="does"><span className="unseen">Actions</span></th>}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {seen.map((row, place) => (
            <tr key={id(row)} role="row" aria-rowindex={at * PAGE + place + 2} className={ticked.has(id(row)) ? 'ticked' : undefined}>
              {many && (
                <td role="cell" className="tick">
                  <input type="checkbox" aria-label={`Tick ${name(row)}`} checked={ticked.has(id(row))} onChange={() => tick(row)} />
                </td>
              )}
              {columns.map((column, at) => (
                <td key={column.name} role={at === 0 ? 'rowheader' : 'cell'} data-label={column.name} className={column.extra ? 'extra' : undefined}>
                  {column.show ? column.show(row) : column.text(row)}
                </td>
              ))}
              {actions && <td role="cell" className="does"><Menu label={`Actions of ${name(row)}`} actions={actions(row)} /></td>}
            </tr>
          ))}
        </tbody>
      </table>
      {found.length === 0 && <p className="empty">Nothing here matches “{search}”.</p>}
      {pages > 1 && (
        <nav className="pager" aria-label={`Pages of ${label.toLowerCase()}`}>
          <Button why={at === 0 ? 'This is the first page.' : undefined} onPress={() => setPage(at - 1)}>Earlier</Button>
          <span>{at * PAGE + 1}–{Math.min(found.length, (at + 1) * PAGE)} of {found.length}</span>
          <Button why={at === pages - 1 ? 'This is the last page.' : undefined} onPress={() => setPage(at + 1)}>Later</Button>
        </nav>
      )}
    </div>
  );
}

const letters = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

function compare(a: string | number, b: string | number): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : letters.compare(String(a), String(b));
}
