// Invented patients: ordinary ones, and names that try things.

const FAMILY = ['Meier', 'Müller', 'Schmidt', 'Schmitt', 'Nguyễn', "O'Brien", 'García López', 'Øverland', 'Yılmaz', 'Kowalczyk', 'Silva',
  'von der Heide', 'Ivanova', 'Rossi', 'Dubois', 'Andersson'];
const GIVEN = ['Anna', 'Jörg', 'Thi Lan', 'Patrick', 'María', 'Åse', 'Deniz', 'Zofia', 'João', 'Klara', 'Olga', 'Paolo', 'Élise', 'Nils'];
const WHAT = [['CT', 'CT Thorax mit KM'], ['MR', 'MR Schädel nativ'], ['DX', 'Thorax p.a./lateral'], ['US', 'Abdomen'], ['CT', 'CT Abdomen'],
  ['MG', 'Mammografie beidseits'], ['XA', 'Koronarangiografie'], ['PT', 'FDG PET/CT'], ['MR', 'Knie links'], ['CR', 'Hand rechts in 2 Ebenen']];
const DOCTORS = ['Brandt^Hedwig', 'Osei^Kwame', '', 'Lindqvist^Maj'];

export const HOSTILE = [
  { name: { Alphabetic: '<script>alert(1)</script>^<img src=x onerror=alert(2)>' }, id: '"><b>bold', description: '</div><script>document.title="pwned"</script>' },
  { name: { Alphabetic: '\u202Eevil^\u2066Right' }, id: '\u202E4711', description: 'right\u200Fto\u202Eleft' },
  { name: { Alphabetic: 'Yamada^Tarou', Ideographic: '山田^太郎', Phonetic: 'やまだ^たろう' }, id: 'J-100', description: '胸部CT' },
  { name: { Alphabetic: 'كريم^سارة' }, id: 'AR-7', description: 'صورة الصدر' },
  { name: { Alphabetic: 'A'.repeat(300) }, id: 'B'.repeat(64), description: 'long '.repeat(300) },
  { name: {}, id: '', description: '' },
];

const pad = (n, width = 2) => String(n).padStart(width, '0');
const da = (d) => pad(d.getFullYear(), 4) + pad(d.getMonth() + 1) + pad(d.getDate());

export function dataset({ uid, name, id, birth, sex, date, time, accession, description, doctor, modalities, series, instances }) {
  const text = (vr, v) => (v === '' || v === undefined ? { vr } : { vr, Value: [v] });
  return {
    '00080005': { vr: 'CS', Value: ['ISO_IR 192'] }, '00080020': text('DA', date), '00080030': text('TM', time),
    '00080050': text('SH', accession), '00080056': { vr: 'CS', Value: ['ONLINE'] }, '00080061': { vr: 'CS', Value: modalities },
    '00080090': doctor ? { vr: 'PN', Value: [{ Alphabetic: doctor }] } : { vr: 'PN' }, '00081030': text('LO', description),
    '00100010': { vr: 'PN', Value: [name] }, '00100020': text('LO', id), '00100030': text('DA', birth), '00100040': text('CS', sex),
    '0020000D': { vr: 'UI', Value: [uid] }, '00201206': { vr: 'IS', Value: [series] }, '00201208': { vr: 'IS', Value: [instances] },
  };
}

function seriesOf(study, modality, count, total) {
  return Array.from({ length: count }, (_, i) => ({
    '00080060': { vr: 'CS', Value: [modality] }, '0008103E': { vr: 'LO', Value: [['Topogramm', 'nativ axial 1.0', 'venös axial 1.0', 'MPR koronar'][i % 4]] },
    '00180015': { vr: 'CS', Value: ['CHEST'] }, '0020000D': { vr: 'UI', Value: [study] }, '0020000E': { vr: 'UI', Value: [`${study}.${i + 1}`] },
    '00200011': { vr: 'IS', Value: [i + 1] }, '00201209': { vr: 'IS', Value: [Math.ceil(total / count)] } }));
}

function ordinary(i, today) {
  const [modality, description] = WHAT[(i * 7) % WHAT.length];
  const day = new Date(today.getFullYear(), today.getMonth(), today.getDate() - Math.floor((i * i) / 90));
  return { name: { Alphabetic: `${FAMILY[(i * 5) % FAMILY.length]}^${GIVEN[(i * 3) % GIVEN.length]}` }, id: String(470000 + i * 37),
    birth: `${1935 + ((i * 13) % 85)}${pad(1 + (i % 12))}${pad(1 + (i % 28))}`, sex: 'FMO'[i % 11 === 0 ? 2 : i % 2], date: da(day),
    time: `${pad(7 + (i % 11))}${pad((i * 17) % 60)}00`, accession: `A${2400000 + i}`, description, doctor: DOCTORS[i % 4],
    modalities: modality === 'PT' ? ['PT', 'CT'] : [modality], series: 1 + (i % 6), instances: (1 + (i % 6)) * (modality === 'CT' ? 180 : 4) };
}

// [{dataset, series}]
export function studies(count = 420, today = new Date()) {
  const hostile = HOSTILE.map((h, i) => ({ ...ordinary(1000 + i, today), ...h, date: da(today), time: `06${pad(i)}00` }));
  hostile.at(-1).date = hostile.at(-1).birth = '';
  const all = [...Array.from({ length: count }, (_, i) => ordinary(i, today)), ...hostile];
  return all.map((s, i) => {
    const uid = `2.25.99${i + 1}`;
    return { dataset: dataset({ ...s, uid }), series: seriesOf(uid, s.modalities[0], s.series, s.instances) };
  });
}
