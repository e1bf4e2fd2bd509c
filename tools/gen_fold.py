#!/usr/bin/python3
"""The folding table for comparing names (src/base/fold.h).

gen_fold.py make > spec/fold.tsv      from Python's Unicode data; only when the rule changes
gen_fold.py generate spec/fold.tsv OUT.c OUT.h   at build

A row of spec/fold.tsv: first and last code point, step, what the first becomes ("-": nothing). Later code
points of a row become the first's (single) result plus their distance; step 2 takes every other one,
step 0 makes all of them the first's result.
"""
import sys
import unicodedata

# Marks that carry no letter of their own. Others (Thai, Indic scripts, kana voicing) do and are kept.
# In this order: Latin, Greek and Cyrillic; Hebrew; Arabic, with the tatweel.
MARKS = ([(0x0300, 0x036F), (0x1AB0, 0x1ACE), (0x1DC0, 0x1DFF), (0x20D0, 0x20F0), (0xFE20, 0xFE2F)]
         + [(0x0591, 0x05BD), (0x05BF, 0x05BF), (0x05C1, 0x05C2), (0x05C4, 0x05C5), (0x05C7, 0x05C7)]
         + [(0x0610, 0x061A), (0x0640, 0x0640), (0x064B, 0x065F), (0x0670, 0x0670), (0x06D6, 0x06DC),
            (0x06DF, 0x06E4), (0x06E7, 0x06E8), (0x06EA, 0x06ED)])
# Invisible: soft hyphen, joiners, direction marks, byte order mark, variation selectors.
INVISIBLE = [(0x00AD, 0x00AD), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2064), (0x2066, 0x2069),
             (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xE0100, 0xE01EF)]
# Letters with a stroke or joined, which Unicode does not decompose.
LETTERS = {'ø': 'o', 'ł': 'l', 'đ': 'd', 'ð': 'd', 'þ': 'th', 'æ': 'ae', 'œ': 'oe', 'ı': 'i', 'ħ': 'h',
           'ŧ': 't',
           'ŀ': 'l', 'ĸ': 'k', 'ŋ': 'n', 'ƀ': 'b', 'ǥ': 'g', 'ɨ': 'i', 'ƶ': 'z', 'ə': 'e', 'ǝ': 'e', 'ɖ': 'd',
           'ʻ': "'", 'ʼ': "'", '’': "'", '‘': "'", '‐': '-', '‑': '-', '–': '-'}
# Decomposed letters that are not the base letter with an accent: short I and the Belarusian short U.
KEEP = {'й', 'ў'}
MAX_RESULT = 4
SPECIAL = set('*?^=\\"')  # delimiters and wildcards: nothing else may become one


def inside(c, ranges):
    return any(a <= c <= b for a, b in ranges)


def katakana(c):
    """Katakana to hiragana; the voicing marks of half width to the combining ones."""
    o = ord(c)
    return chr(o - 0x60) if 0x30A1 <= o <= 0x30F6 or 0x30FD <= o <= 0x30FE else c


def fold_char(c, depth=0):
    if c in KEEP:
        return c
    if inside(ord(c), MARKS) or inside(ord(c), INVISIBLE):
        return ''
    if c in LETTERS:
        return LETTERS[c]
    if c in '\uFF9E\uFF9F':  # half width voicing marks
        return '\u3099' if c == '\uFF9E' else '\u309A'
    if 0xAC00 <= ord(c) <= 0xD7A3 or 0x3041 <= ord(c) <= 0x309E:  # kept composed
        return c
    if 0x30A1 <= ord(c) <= 0x30FE:
        return katakana(c)
    step = unicodedata.normalize('NFKD', c).casefold()
    if step == c:
        return c
    if step[0] == ' ' and len(step) > 1:  # a spacing accent (´ ¨): no letter
        return c
    if depth > 8:
        raise SystemExit('no end: %x' % ord(c))
    if step[0] in 'иИуУ' and c.casefold() in KEEP:
        return c.casefold()
    return ''.join(fold_char(x, depth + 1) for x in step)


def wanted(o):
    # No surrogates, no private use, no mathematical alphabets, no enclosed, squared or other symbols.
    return not (0x2100 <= o <= 0x2129 or 0x212C <= o <= 0x24FF or 0x2A00 <= o <= 0x2AFF
                or 0x3200 <= o <= 0x33FF
                or 0xFBB2 <= o <= 0xFBC2 or 0xD800 <= o <= 0xF8FF) \
        and (o < 0x10000 or 0x10400 <= o < 0x11000 or 0x1E900 <= o <= 0x1E943
             or 0x2F800 <= o <= 0x2FA1D or 0xE0100 <= o <= 0xE01EF)


def make():
    rows = []
    for o in range(0x20, 0xE01F0):
        if not wanted(o):
            continue
        c = chr(o)
        r = fold_char(c)
        if r == c or len(r) > MAX_RESULT or SPECIAL & set(r) or (r == '' and unicodedata.category(c) == 'Zs'):
            continue
        if any(fold_char(x) != x for x in r):
            raise SystemExit('%04X folds to what folds again' % o)
        last = rows[-1] if rows else None
        if last and (r == '') == (last[3] == ''):
            if r == '' and last[1] == o - 1:
                last[1], last[2] = o, 0
                continue
            distance = o - last[1]
            if r == last[3] and distance == 1 and (last[0] == last[1] or last[2] == 0):
                last[1], last[2] = o, 0
                continue
            if last[2] == 0:
                rows.append([o, o, 1, r])
                continue
            if len(r) == 1 == len(last[3]) and distance in (1, 2) and ord(r) - ord(last[3]) == o - last[0] \
                    and (last[0] == last[1] or distance == last[2]):
                last[1], last[2] = o, distance
                continue
        rows.append([o, o, 1, r])
    print('# Folding of names for matching, see src/base/fold.h. Made by tools/gen_fold.py from Unicode %s.'
          % unicodedata.unidata_version)
    print('# first\tlast\tstep\tresult of the first')
    for a, b, step, r in rows:
        print('%04X\t%04X\t%d\t%s' % (a, b, step, ' '.join('%04X' % ord(x) for x in r) or '-'))


def read(path):
    rows = []
    for number, line in enumerate(open(path, encoding='ascii'), 1):
        if line.startswith('#'):
            continue
        f = line.rstrip('\n').split('\t')
        if len(f) != 4:
            raise SystemExit('%s:%d: four fields wanted' % (path, number))
        a, b, step = int(f[0], 16), int(f[1], 16), int(f[2])
        result = [] if f[3] == '-' else [int(x, 16) for x in f[3].split()]
        if b < a or step not in (0, 1, 2) or len(result) > MAX_RESULT or (rows and a <= rows[-1][1]) \
                or (step and b > a and len(result) != 1):
            raise SystemExit('%s:%d: not a valid row' % (path, number))
        rows.append((a, b, step, result))
    return rows


def generate(path, out_c, out_h):
    rows = read(path)
    pool, lines = [], []
    for a, b, step, result in rows:
        lines.append('    {0x%X, 0x%X, %d, %d, %d},' % (a, b, len(pool), step, len(result)))
        pool += result
    # At most so many bytes of UTF-8 come out for one that goes in.
    size = lambda o: 1 if o < 0x80 else 2 if o < 0x800 else 3 if o < 0x10000 else 4
    growth = max((sum(map(size, r)) + size(a) - 1) // size(a) for a, b, step, r in rows if r)
    if len(pool) > 0xFFFF:
        raise SystemExit('too many results')
    with open(out_h, 'w', encoding='ascii') as h:
        h.write('// Generated by tools/gen_fold.py from spec/fold.tsv.\n'
                '#ifndef DICOM_FOLD_GEN_H\n#define DICOM_FOLD_GEN_H\n\n'
                '#include <stdint.h>\n\nstruct fold_row {\n    uint32_t first, last;\n    uint16_t at;\n'
                '    uint8_t step, count;\n};\n\n'
                'enum { FOLD_ROWS = %d, FOLD_MAX_GROWTH = %d };\n'
                'extern const struct fold_row fold_rows[FOLD_ROWS];\n'
                'extern const uint32_t fold_results[%d];\n\n#endif\n' % (len(rows), growth, len(pool)))
    with open(out_c, 'w', encoding='ascii') as c:
        c.write('// Generated by tools/gen_fold.py from spec/fold.tsv.\n#include "fold_gen.h"\n\n'
                'const struct fold_row fold_rows[FOLD_ROWS] = {\n%s\n};\n\n'
                'const uint32_t fold_results[%d] = {\n'
                % ('\n'.join(lines), len(pool)))
        for i in range(0, len(pool), 12):
            c.write('    ' + ' '.join('0x%X,' % x for x in pool[i:i + 12]) + '\n')
        c.write('};\n')


if __name__ == '__main__':
    if sys.argv[1:] == ['make']:
        make()
    elif len(sys.argv) == 5 and sys.argv[1] == 'generate':
        generate(*sys.argv[2:])
    else:
        raise SystemExit(__doc__)
