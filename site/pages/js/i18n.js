// The language of the pages: the browser's, or the one chosen, which is remembered.
import en from './text_en.js';
import de from './text_de.js';

const dictionaries = { en, de };

export const languages = [['en', 'English'], ['de', 'Deutsch']];
export let language = dictionaries[document.documentElement.lang] ? document.documentElement.lang : 'en';

// The region of the browser decides how dates look, as long as its language is the one shown.
export function locale() {
  return navigator.languages?.find((tag) => tag.toLowerCase().startsWith(language)) || language;
}

export function setLanguage(wanted) {
  language = dictionaries[wanted] ? wanted : 'en';
  document.documentElement.lang = language;
  keep('galena.language', language);
}

// t('found', {n: 3}): {n} is put in as a number of the language; entries with forms are chosen by n.
export function t(key, values = {}) {
  let text = dictionaries[language][key] ?? en[key] ?? key;
  if (typeof text === 'object')
    text = text[new Intl.PluralRules(language).select(values.n)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === 'number' ? number(value) : value ?? '';
  });
}

export function has(key) {
  return key in en;
}

export function number(n, options) {
  return new Intl.NumberFormat(locale(), options).format(n);
}

export function bytes(n) {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'];
  let i = 0;
  for (; n >= 999.5 && i < units.length - 1; i++) n /= 1000;
  const digits = i === 0 || n >= 99.5 ? 0 : 1;
  return number(n, { style: 'unit', unit: units[i], unitDisplay: 'short', maximumFractionDigits: digits });
}

// Seconds in words, as coarse as is honest.
export function duration(seconds) {
  const s = Math.max(1, Math.round(seconds));
  const [n, unit] = s < 60 ? [s, 'second'] : s < 5400 ? [Math.round(s / 60), 'minute'] :
    s < 129600 ? [Math.round(s / 3600), 'hour'] : [Math.round(s / 86400), 'day'];
  return number(n, { style: 'unit', unit, unitDisplay: 'long' });
}

export function moment(text) {
  const when = new Date(text);
  if (!text || Number.isNaN(when.getTime())) return '';
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'short' }).format(when);
}

export function keep(name, value) {
  try { localStorage.setItem(name, value); } catch { /* not allowed to: then it is for this time only */ }
}
