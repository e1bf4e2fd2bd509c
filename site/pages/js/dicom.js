// DICOM JSON (PS3.18 F.2) for people: names, dates, ages.
import { language, locale, t } from './i18n.js';

export const TAGS = {
  StudyDate: '00080020', StudyTime: '00080030', AccessionNumber: '00080050', Modality: '00080060',
  ModalitiesInStudy: '00080061', ReferringPhysicianName: '00080090', StudyDescription: '00081030',
  SeriesDescription: '0008103E', RetrieveURL: '00081190', WarningReason: '00081196', FailureReason: '00081197',
  FailedSOPSequence: '00081198', ReferencedSOPSequence: '00081199', OtherFailuresSequence: '0008119A',
  ReferencedSOPInstanceUID: '00081155', PatientName: '00100010', PatientID: '00100020',
  PatientBirthDate: '00100030', PatientSex: '00100040', BodyPartExamined: '00180015',
  StudyInstanceUID: '0020000D', SeriesInstanceUID: '0020000E', StudyID: '00200010', SeriesNumber: '00200011',
  NumberOfStudyRelatedSeries: '00201206', NumberOfStudyRelatedInstances: '00201208',
  NumberOfSeriesRelatedInstances: '00201209',
};

export function values(dataset, keyword) {
  const list = dataset?.[TAGS[keyword]]?.Value;
  return Array.isArray(list) ? list.filter((v) => v !== null && v !== undefined) : [];
}

export function text(dataset, keyword) {
  const value = values(dataset, keyword)[0];
  return value === undefined || typeof value === 'object' ? '' : String(value).trim();
}

export function number(dataset, keyword) {
  const n = Number(values(dataset, keyword)[0]);
  return Number.isFinite(n) ? n : 0;
}

// "Family^Given^Middle^Prefix^Suffix" as one writes it in a list.
function group(written) {
  const [family, given, middle, prefix, suffix] = String(written ?? '').split('^').map((s) => s.trim());
  const first = [given, middle].filter(Boolean).join(' ');
  const name = [family, first].filter(Boolean).join(', ');
  const extras = [prefix, suffix].filter(Boolean).join(', ');
  return name && extras ? `${name} (${extras})` : name || extras;
}

// {main, other}: how the name is written, and how else; the ideographic group leads nowhere a reader of Latin
// letters would look for it, so it comes second.
export function personName(dataset, keyword) {
  const value = values(dataset, keyword)[0];
  if (value === undefined) return { main: '', other: '' };
  if (typeof value !== 'object') return { main: group(value), other: '' };
  const groups = [value.Alphabetic, value.Ideographic, value.Phonetic].map(group).filter(Boolean);
  return { main: groups[0] ?? '', other: groups[1] ?? '' };
}

// A Date at noon, so that no time zone moves it to another day; null for what is no date.
export function parseDate(da) {
  const m = /^(\d{4})[.-]?(\d{2})[.-]?(\d{2})/.exec(da || '');
  if (!m) return null;
  const date = new Date(Number(m[1]), Number(m[2]) - 1, Number(m[3]), 12);
  return date.getMonth() === Number(m[2]) - 1 ? date : null;
}

export function formatDate(da) {
  const date = parseDate(da);
  if (!date) return da || '';
  return new Intl.DateTimeFormat(locale(), { year: 'numeric', month: '2-digit', day: '2-digit' }).format(date);
}

export function formatTime(tm) {
  const m = /^(\d{2}):?(\d{2})?/.exec(tm || '');
  if (!m) return '';
  const time = new Date(2000, 0, 1, Number(m[1]), Number(m[2] || 0));
  return new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit' }).format(time);
}

// How old the patient was: in years, in months below two years, in days below two months.
export function age(birth, at) {
  const from = parseDate(birth), to = parseDate(at);
  if (!from || !to || to < from) return '';
  const months = (to.getFullYear() - from.getFullYear()) * 12 + to.getMonth() - from.getMonth() -
    (to.getDate() < from.getDate() ? 1 : 0);
  const [n, unit] = months >= 24 ? [Math.floor(months / 12), 'year'] : months >= 2 ? [months, 'month'] :
    [Math.round((to - from) / 86400000), 'day'];
  return n > 150 ? '' : new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(n);
}

export function sex(code) {
  return { F: t('sex_f'), M: t('sex_m'), O: t('sex_o') }[code] || '';
}

// A study as the list shows it.
export function study(dataset) {
  return {
    uid: text(dataset, 'StudyInstanceUID'),
    name: personName(dataset, 'PatientName'),
    id: text(dataset, 'PatientID'),
    birth: text(dataset, 'PatientBirthDate'),
    sex: text(dataset, 'PatientSex'),
    date: text(dataset, 'StudyDate'),
    time: text(dataset, 'StudyTime'),
    accession: text(dataset, 'AccessionNumber'),
    description: text(dataset, 'StudyDescription'),
    physician: personName(dataset, 'ReferringPhysicianName').main,
    modalities: values(dataset, 'ModalitiesInStudy').map(String),
    series: number(dataset, 'NumberOfStudyRelatedSeries'),
    instances: number(dataset, 'NumberOfStudyRelatedInstances'),
  };
}

export function series(dataset) {
  return {
    uid: text(dataset, 'SeriesInstanceUID'),
    number: text(dataset, 'SeriesNumber'),
    modality: text(dataset, 'Modality'),
    description: text(dataset, 'SeriesDescription'),
    part: text(dataset, 'BodyPartExamined'),
    instances: number(dataset, 'NumberOfSeriesRelatedInstances'),
  };
}
