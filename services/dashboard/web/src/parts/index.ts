// SPDX-License-Identifier: Apache-2.0
// What pages are made of.

export { Button, ButtonLink } from './button';
export { Confirm, type Question as Destroying } from './confirm';
export { Dialog } from './dialog';
export { Area, type Choice, Select, Several, Switch, Text } from './field';
export { Form, type Question } from './form';
export { type Action, Menu } from './menu';
export { Facts, Page, Section, Shown } from './page';
export { Progress, Use } from './progress';
export { Refused } from './refusal';
export { inWords, State } from './state';
export { type Column, Table } from './table';
export { ago, bytes, count, mebibytes, named, when } from './words';
export { option, flag } from '../said/shell';
export { Raw, resource, label } from '../said/hcl';
export { AsText, type Said } from '../said/said';
export { announce } from '../shell/announce';
export { asked, go, Link } from '../shell/router';
