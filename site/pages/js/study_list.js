// Studies as a tree grid (WAI-ARIA): one row has the focus, arrows move it, Right shows its series, Enter opens
// the viewer. On a narrow screen the rows are cards.
import { age, formatDate, formatTime, sex } from './dicom.js';
import { bdi, h, icon, replace } from './dom.js';
import { t } from './i18n.js';
import { newer } from './merge.js';
import { can } from './session.js';
import { StudyDetails, viewerAddress } from './study_details.js';

const STILL_MS = 3000;
const HEADS = ['patient', 'study_date', 'modality', 'description', 'accession', 'images'];

function cell(name, ...content) {
  return h('div', { role: 'gridcell', class: `cell ${name}` }, content);
}

function second(...parts) {
  const shown = parts.filter((p) => p && p.textContent !== '');
  return h('div', { class: 'second' }, shown.map((p, i) => [i ? h('span', { class: 'dot' }, ' · ') : null, p]));
}

const words = (text) => (text ? h('span', text) : null);
const foreign = (text) => (text ? bdi(text) : null);

export function patientName({ name }) {
  return [bdi(name.main || t('no_name'), { class: name.main ? 'name' : 'name none' }),
    name.other ? [' ', bdi(name.other, { class: 'other' })] : null];
}

export function modalityBadges(list) {
  return list.map((m) => h('span', { class: 'badge', title: t(`modality_${m}`).replace(/^modality_.*/, '') }, m));
}

function row(study, label) {
  const born = study.birth ? t('born', { date: formatDate(study.birth) }) : '';
  return [
    h('span', { class: 'twist', 'aria-hidden': 'true' }, icon('chevron')),
    cell('patient', h('div', patientName(study)), second(foreign(study.id), words(born), words(sex(study.sex)))),
    cell('date', h('div', formatDate(study.date) || t('no_date')),
      second(words(formatTime(study.time)), words(age(study.birth, study.date)))),
    cell('modality', modalityBadges(study.modalities)),
    cell('description', h('div', bdi(study.description)), second(foreign(study.physician))),
    cell('accession', bdi(study.accession)),
    cell('images', h('div', t('n_images', { n: study.instances })), second(words(t('n_series', { n: study.series })))),
    cell('open', can('retrieve') ? h('a', { href: viewerAddress(study.uid), tabindex: '-1', title: label,
      'aria-label': label }, icon('eye')) : null)];
}

export class StudyList {
  // on: more() when the end is reached, leave() when the focus goes up and out, deleted()
  constructor(on) {
    this.on = on;
    this.items = [];
    this.body = h('div', { class: 'rows', role: 'rowgroup' });
    this.element = h('div', { class: 'studies', role: 'treegrid', 'aria-label': t('studies'),
      onkeydown: (e) => this.key(e), onclick: (e) => this.click(e), ondblclick: (e) => this.twice(e) },
      h('div', { class: 'row head', role: 'row' }, h('span'), HEADS.map((name) =>
        h('div', { role: 'columnheader', class: `cell ${name}` }, t(name))),
        h('div', { role: 'columnheader', class: 'cell open' }, h('span', { class: 'hidden' }, t('open_viewer')))),
      this.body);
    this.element.hidden = true;
    this.touched = -STILL_MS;
    for (const name of ['pointermove', 'pointerdown', 'keydown', 'wheel', 'touchmove'])
      this.element.addEventListener(name, () => { this.touched = performance.now(); }, { passive: true });
  }

  setBusy(busy) {
    this.element.setAttribute('aria-busy', String(busy));
  }

  clear() {
    this.items = [];
    replace(this.body);
    this.element.hidden = true;
  }

  item(study) {
    const item = { study };
    item.row = h('div', { class: 'row', role: 'row', 'aria-level': '1', 'aria-expanded': 'false',
      tabindex: '-1' }, row(study, t('open_viewer')));
    item.element = h('div', { class: 'study', role: 'presentation' }, item.row);
    return item;
  }

  add(studies) {
    const items = studies.map((study) => this.item(study));
    if (this.items.length === 0 && items.length) items[0].row.tabIndex = 0;
    this.items.push(...items);
    this.body.append(...items.map((item) => item.element));
    this.counted();
  }

  counted() {
    this.element.hidden = this.items.length === 0;
    this.element.setAttribute('aria-rowcount', String(this.items.length + 1));
  }

  inUse() {
    return this.body.contains(document.activeElement) || this.items.some((item) => item.details);
  }

  // --- what has changed meanwhile

  // Somebody is about to click, or is marking words: nothing may move.
  inHand() {
    const selection = window.getSelection();
    return performance.now() - this.touched < STILL_MS ||
      (!selection.isCollapsed && this.body.contains(selection.anchorNode));
  }

  // As Merge.take() says. The rows that stay are the same elements: focus, and what is open, stay with them; and
  // where the first is out of sight already, those that one sees stay where they are.
  update({ fresh, known, gone }) {
    const held = this.items[0]?.element.getBoundingClientRect().top < 0 &&
      this.items.find((item) => item.element.getBoundingClientRect().bottom > 0);
    const before = held && held.element.getBoundingClientRect().top;
    for (const study of known) this.renew(this.items.find((item) => item.study.uid === study.uid), study);
    for (const { uid } of gone) this.drop(this.items.find((item) => item.study.uid === uid));
    for (const study of fresh) this.insert(study);
    this.counted();
    if (held) window.scrollBy(0, held.element.getBoundingClientRect().top - before);
  }

  renew(item, study) {
    if (!item || JSON.stringify(item.study) === JSON.stringify(study)) return;
    const inside = item.row.contains(document.activeElement);
    item.study = study;
    replace(item.row, row(study, t('open_viewer')));
    if (inside) item.row.focus({ preventScroll: true });
  }

  insert(study) {
    const item = this.item(study), i = this.items.findIndex((other) => newer(study, other.study));
    item.element.classList.add('fresh');
    this.body.insertBefore(item.element, i < 0 ? null : this.items[i].element);
    this.items.splice(i < 0 ? this.items.length : i, 0, item);
  }

  // What somebody looks at stays until they leave it.
  drop(item) {
    if (!item || item.details || item.element.contains(document.activeElement)) return;
    this.items.splice(this.items.indexOf(item), 1);
    item.element.remove();
    if (item.row.tabIndex === 0 && this.items.length) this.items[0].row.tabIndex = 0;
  }

  // --- focus

  at(element) {
    return this.items.findIndex((item) => item.element.contains(element));
  }

  focus(i) {
    const item = this.items[Math.max(0, Math.min(i, this.items.length - 1))];
    if (!item) return false;
    for (const other of this.items) if (other.row.tabIndex === 0) other.row.tabIndex = -1;
    item.row.tabIndex = 0;
    item.row.focus();
    item.row.scrollIntoView({ block: 'nearest' });
    return true;
  }

  focusFirst() {
    return this.focus(0);
  }

  key(e) {
    const i = this.at(e.target);
    if (i < 0 || e.ctrlKey || e.metaKey || e.altKey) return;
    const onRow = e.target === this.items[i].row;
    const act = onRow ? this.rowKeys(i)[e.key] : e.key === 'Escape' ? () => this.focus(i) : null;
    if (!act) return;
    e.preventDefault();
    act();
  }

  rowKeys(i) {
    return {
      ArrowDown: () => { if (i + 2 > this.items.length) this.on.more(); this.focus(i + 1); },
      ArrowUp: () => (i === 0 ? this.on.leave() : this.focus(i - 1)),
      PageDown: () => { if (i + 12 > this.items.length) this.on.more(); this.focus(i + 10); },
      PageUp: () => this.focus(i - 10),
      Home: () => this.focus(0),
      End: () => { this.on.more(); this.focus(this.items.length - 1); },
      ArrowRight: () => (this.items[i].details ? this.items[i].details.focus() : this.open(i)),
      ArrowLeft: () => this.close(i),
      ' ': () => (this.items[i].details ? this.close(i) : this.open(i)),
      Enter: () => this.view(i),
      Escape: () => this.on.leave(),
    };
  }

  view(i) {
    if (can('retrieve')) location.href = viewerAddress(this.items[i].study.uid);
    else this.open(i);
  }

  click(e) {
    const i = this.at(e.target);
    const onRow = i >= 0 && this.items[i].row.contains(e.target) && !e.target.closest('a');
    if (!onRow || String(window.getSelection()).trim()) return;
    this.focus(i);
    if (this.items[i].details) this.close(i);
    else this.open(i);
  }

  twice(e) {
    const i = this.at(e.target);
    if (i >= 0 && this.items[i].row.contains(e.target)) this.view(i);
  }

  // --- the series of a study

  open(i) {
    const item = this.items[i];
    if (item.details) return;
    item.details = new StudyDetails(item.study, { gone: () => this.remove(item), back: () => this.focus(this.items.indexOf(item)) });
    item.element.append(item.details.element);
    item.element.classList.add('open');
    item.row.setAttribute('aria-expanded', 'true');
  }

  close(i) {
    const item = this.items[i];
    if (!item.details) return;
    item.details.leave();
    item.details.element.remove();
    item.details = null;
    item.element.classList.remove('open');
    item.row.setAttribute('aria-expanded', 'false');
  }

  remove(item) {
    const i = this.items.indexOf(item);
    if (i < 0) return;
    this.items.splice(i, 1);
    item.element.remove();
    this.element.hidden = this.items.length === 0;
    if (!this.focus(i)) this.on.leave();
    this.on.deleted(item.study);
  }
}

