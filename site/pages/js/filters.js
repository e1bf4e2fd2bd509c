// What narrows the search besides its text: modalities, dates, and a field for each of some attributes.
import { button, field, h, replace } from './dom.js';
import { t } from './i18n.js';
import { da } from './query.js';

const CHIPS = ['CT', 'MR', 'CR', 'DX', 'US', 'XA', 'RF', 'MG', 'NM', 'PT'];
const RANGES = ['any', 'today', 'week', 'month', 'custom'];
const FIELDS = ['id', 'accession', 'physician', 'description'];

function daysAgo(n) {
  const now = new Date();
  return da(new Date(now.getFullYear(), now.getMonth(), now.getDate() - n, 12));
}

export class Filters {
  constructor(saved, changed) {
    this.text = saved.text || '';
    this.modalities = new Set(saved.modalities || []);
    this.range = saved.range || 'any';
    this.from = saved.from || '';
    this.to = saved.to || '';
    for (const name of FIELDS) this[name] = saved[name] || '';
    this.changed = changed;
    this.element = h('div', { class: 'filters' });
    this.draw();
  }

  state() {
    const { text, range, from, to, id, accession, physician, description } = this;
    return { text, range, from, to, id, accession, physician, description, modalities: [...this.modalities] };
  }

  reset() {
    this.text = this.from = this.to = '';
    for (const name of FIELDS) this[name] = '';
    this.modalities.clear();
    this.range = 'any';
    this.draw();
  }

  isEmpty() {
    return !this.text.trim() && !this.modalities.size && !this.date() && this.fieldsUsed() === 0;
  }

  fieldsUsed() {
    return FIELDS.filter((name) => this[name].trim()).length;
  }

  date() {
    if (this.range === 'today') return { from: daysAgo(0), to: daysAgo(0) };
    if (this.range === 'week') return { from: daysAgo(6), to: '' };
    if (this.range === 'month') return { from: daysAgo(30), to: '' };
    const from = this.from.replace(/-/g, ''), to = this.to.replace(/-/g, '');
    return this.range === 'custom' && (from || to) ? { from, to } : null;
  }

  keys() {
    const keys = { modalities: [...this.modalities], date: this.date() };
    for (const name of FIELDS) keys[name] = this[name].trim();
    return keys;
  }

  // --- what is seen

  draw() {
    this.dates = h('div', { class: 'dates', hidden: this.range !== 'custom' }, this.dateField('from'), this.dateField('to'));
    this.more = this.moreFields();
    replace(this.element,
      h('div', { class: 'chips', role: 'group', 'aria-label': t('study_date') }, RANGES.map((r) => this.rangeChip(r))),
      h('div', { class: 'chips', role: 'group', 'aria-label': t('modality') }, CHIPS.map((m) => this.modalityChip(m))),
      this.dates, this.more);
  }

  rangeChip(range) {
    return h('button', { type: 'button', class: 'chip', 'aria-pressed': String(this.range === range), onclick: (e) => {
      this.range = range;
      for (const chip of e.currentTarget.parentNode.children)
        chip.setAttribute('aria-pressed', String(chip === e.currentTarget));
      this.dates.hidden = range !== 'custom';
      if (range === 'custom') this.dates.querySelector('input').focus();
      if (range !== 'custom' || this.from || this.to) this.changed();
    } }, t(`range_${range}`));
  }

  modalityChip(modality) {
    return h('button', { type: 'button', class: 'chip', title: t(`modality_${modality}`),
      'aria-pressed': String(this.modalities.has(modality)), onclick: (e) => {
        if (!this.modalities.delete(modality)) this.modalities.add(modality);
        e.currentTarget.setAttribute('aria-pressed', String(this.modalities.has(modality)));
        this.changed();
      } }, modality);
  }

  dateField(name) {
    const { input, element } = field(t(`date_${name}`), { type: 'date', value: this[name], max: '2999-12-31' });
    input.addEventListener('change', () => {
      this[name] = input.value;
      this.changed();
    });
    return element;
  }

  moreFields() {
    const fields = FIELDS.map((name) => {
      const { input, element } = field(t(`filter_${name}`), { type: 'search', value: this[name], dir: 'auto',
        autocomplete: 'off', spellcheck: 'false' });
      input.addEventListener('input', () => {
        this[name] = input.value;
        clearTimeout(this.timer);
        this.timer = setTimeout(this.changed, 150);
      });
      return element;
    });
    return h('details', { open: this.fieldsUsed() > 0 }, h('summary', t('more_fields')),
      h('div', { class: 'fields' }, fields, button(t('clear'), () => { this.reset(); this.changed(); }, { kind: 'quiet' })));
  }
}
