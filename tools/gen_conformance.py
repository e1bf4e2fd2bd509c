#!/usr/bin/python3
"""Makes docs/NAME.md from docs/NAME.in.md, the tables of spec/ and what the code says.

usage: gen_conformance.py [--check] [ROOT]

--check changes nothing and fails when a page is not what would be made now.

A template is Markdown. A line that begins with @ is replaced by a table:
    @sop KIND[,KIND…] [MODEL[,MODEL…]]      SOP classes of spec/sop.tsv
    @private                                storage SOP classes of spec/private.tsv
    @transfer accepted|refused              transfer syntaxes of spec/xfer.tsv
    @keys LEVEL                             query keys of src/std/index_attr.h
    @charsets                               defined terms of spec/charset.tsv
    @settings FILE                          the settings that a table in src/conf/FILE names
    @links                                  channels and messages of spec/ipc.tsv
    @routes SECTION[,SECTION…]              resources of prog/web/route.c, by section of PS3.18; "-": ours
    @fields TABLE                           attributes of a table in prog/web/qido_query.c
    @media                                  media types of compressed frames, prog/web/instance.c
    @hostile CLASS                          inputs of tests/hostile.tsv, answers, and tests
    @fuzzing                                searches of fuzz/record.tsv
    @coverage folders|files                 tests/coverage.tsv
    @errors                                 codes of src/base/err.h that an answer over HTTP may have
    @status SERVICE CODE | when it is sent  a row; CODE must be in spec/status.tsv ("!" behind it: is not)
    @problem STATUS CODE | meaning          a row; an answer of prog/web with this status and error code
    @log TEXT | meaning | what to do        a row; TEXT (… stands for what varies) must be in the code
{{version}} and the like stand in text for a value of the code; {{FILE:NAME}} for NAME = number in FILE.
"""
import glob
import os
import re
import sys

LINKS = {
    "supervisor>child": "Supervisor to a gate or a worker",
    "child>supervisor": "A gate or a worker to the supervisor",
    "archive>supervisor": "Archive to supervisor",
    "supervisor>archive": "Supervisor to archive",
    "gate>archive": "A gate to the archive",
    "supervisor>auth": "Supervisor to auth",
    "auth>supervisor": "Auth to supervisor",
    "archive>auth": "Archive to auth",
    "auth>archive": "Auth to archive",
    "auth>fetch": "Auth to fetch",
    "fetch>auth": "Fetch to auth",
    "fetch>supervisor": "Fetch to supervisor",
    "dimse>archive": "A DICOM worker to the archive",
    "archive>dimse": "The archive to a DICOM worker",
    "web>archive": "A web worker to the archive",
    "archive>web": "The archive to a web worker",
    "dimse>archive,web>archive": "A worker of either kind to the archive",
    "archive>dimse,archive>web": "The archive to a worker of either kind",
}

# PS3.4 C.6.1.1.2 to C.6.1.1.5, C.6.2.1.2: unique and required keys; the rest is optional.
KEY_TYPES = {"PatientID": "U", "StudyInstanceUID": "U", "SeriesInstanceUID": "U", "SOPInstanceUID": "U",
             "PatientName": "R", "StudyDate": "R", "StudyTime": "R", "AccessionNumber": "R", "StudyID": "R",
             "Modality": "R", "SeriesNumber": "R", "InstanceNumber": "R"}
NO_KEYS = {"TimezoneOffsetFromUTC"}  # find_plan.c, is_control()


class Wrong(Exception):
    pass


def unquote(literals):
    """The value of adjacent C string literals."""
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals)).replace('\\"', '"').replace("\\n", " ")


def row(*cells):
    return "| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |"


def table(head, rows):
    return [row(*head), "|" + "---|" * len(head)] + [row(*r) for r in rows]


class Pages:
    def __init__(self, root):
        self.root = root
        self.literals = None
        self.seen = {}

    def text(self, path):
        if path not in self.seen:
            with open(os.path.join(self.root, path), encoding="utf-8") as f:
                self.seen[path] = f.read()
        return self.seen[path]

    def tsv(self, name):
        return self.tsv_at("spec/%s.tsv" % name)

    def tsv_at(self, path):
        lines = self.text(path).split("\n")
        return [l.split("\t") for l in lines if l.strip() and not l.startswith("#")]

    # --- values in text

    def value(self, name):
        path, _, symbol = name.rpartition(":")
        if path:
            found = re.search(r"\b%s\s*=\s*([0-9]+)\b" % re.escape(symbol), self.text(path))
            if not found:
                raise Wrong("no number %s in %s" % (symbol, path))
            return found.group(1)
        if name == "edition":
            return self.text("spec/EDITION").strip()
        if name == "version":
            return re.search(r"version: '([^']+)'", self.text("meson.build")).group(1)
        if name == "implementation_class":
            return re.search(r'GALENA_IMPLEMENTATION_CLASS "([^"]+)"', self.text("src/std/uid.h")).group(1)
        if name in ("ciphers", "suites", "groups"):
            found = re.search(r"char %s\[\] =\s*((?:\"[^\"]*\"\s*)+);" % name, self.text("prog/gate/tls.c"))
            return ", ".join("`%s`" % w for w in unquote(found.group(1)).split(":"))
        defaults = self.defaults("conf.c")
        if name in defaults:
            return defaults[name]
        raise Wrong("unknown value {{%s}}" % name)

    # --- tables of the standard

    def sop(self, kinds, models=None):
        rows = []
        for uid, kind, model, retired, _, name, *since in self.tsv("sop"):
            if kind in kinds.split(",") and (not models or model in models.split(",")):
                note = "retired" if retired else ("since " + since[0] if since and since[0] else "")
                rows.append((name, "`%s`" % uid, note))
        return table(("SOP class", "UID", ""), sorted(rows))

    def private(self):
        return table(("SOP class", "UID"), sorted(("%s %s" % (maker, name), "`%s`" % uid)
                                                  for uid, maker, name in self.tsv("private")))

    def transfer(self, which):
        test = re.search(r"static bool is_readable.*?\n}", self.text("src/ul/negotiate.c"), re.S).group(0)
        refused = re.findall(r"TS_FAMILY_(\w+)", test)
        rows = []
        for uid, family, flags, _, name in self.tsv("xfer"):
            if (family in refused) == (which == "refused"):
                rows.append((name, "`%s`" % uid, "retired" if "retired" in flags.split(",") else ""))
        return table(("Transfer syntax", "UID", ""), rows)

    def charsets(self):
        kinds = {"single": "no code extensions", "ext-single": "code extensions, one byte",
                 "ext-multi": "code extensions, several bytes", "alone": "stands alone"}
        rows = [("`%s`" % r[1], r[6], kinds[r[2]]) for r in self.tsv("charset") if r[0] == "term"]
        return table(("Defined term", "Characters", ""), rows)

    def status(self, service, code, when):
        absent, code = code.endswith("!"), code.rstrip("!")
        rows = {r[1]: r for r in self.tsv("status") if r[0] in (service, "any") and re.fullmatch(
            r[1].replace("x", "."), code)}
        if not rows:
            if not absent:
                raise Wrong("status %s is none of service %s" % (code, service))
            return (code, "failure", "(not in the standard's table for this service)", when)
        exact = rows.get(code) or list(rows.values())[0]
        return (code, exact[3], exact[4], when)

    # --- tables of the code

    def attributes(self):
        rows = re.findall(r"X\((\w+),\s*(0x[0-9A-F]+|0),\s*(0x[0-9A-F]+|0),\s*(\w\w),\s*(\w+),\s*(\w+)\)",
                          self.text("src/std/index_attr.h"))
        if len(rows) < 40:
            raise Wrong("src/std/index_attr.h has another form now")
        return [(n, int(s, 16), int(t, 16), vr, level, kind) for n, s, t, vr, level, kind in rows]

    def matching(self, name, vr, kind):
        if name.startswith("NumberOf") and kind == "COMPUTED":
            return "none: only returned"
        if vr == "UI":
            return "UID, list of UIDs"
        if vr in ("DA", "TM"):
            return "single value, range"
        if vr == "PN":
            return "single value, wildcard; by name (4.4.3)"
        if vr in ("IS", "US"):
            return "single value, as a number"
        return "single value, wildcard" + ("; any of several" if kind in ("MULTI", "COMPUTED") else "")

    def keys(self, level):
        names = {r[0]: r[5] for r in self.tsv("tags")}
        rows = []
        for name, sequence, tag, vr, at, kind in self.attributes():
            if at != level or not tag or name in NO_KEYS:
                continue
            number = "(%04X,%04X)" % (tag >> 16, tag & 0xFFFF)
            if sequence:
                number = "(%04X,%04X) > %s" % (sequence >> 16, sequence & 0xFFFF, number)
            shown = names["%04X,%04X" % (tag >> 16, tag & 0xFFFF)]
            rows.append((shown, number, vr, KEY_TYPES.get(name, "O"), self.matching(name, vr, kind)))
        return table(("Key", "Tag", "VR", "Type", "Matching"), rows)

    def defaults(self, path):
        if path != "conf.c":
            return {}
        body = re.search(r"void conf_init.*?\n}", self.text("src/conf/conf.c"), re.S).group(0)
        found = dict(re.findall(r"\.(\w+) = ([^{},]+),", body))
        for name, host, port in re.findall(r'\.(\w+) = \{"([^"]+)", (\d+)\}', body):
            found[name] = "%s:%s" % (host, port)
        found = {k: {"true": "yes", "false": "no"}.get(v, v.strip('"')) for k, v in found.items()}
        found.update(max_pdu=found["max_pdu_bytes"], reserve="64 MiB", transfer_syntax_order="proposer")
        found.update(upload_max="64 GiB")
        if found["reserve_bytes"] != "64 << 20" or found["upload_max_bytes"] != "64ULL << 30":
            raise Wrong("the default of reserve or upload_max is another one now")
        return found

    def settings(self, path):
        text = self.text("src/conf/" + path)
        body = re.search(r"static const struct conf_option options\[\] = \{(.*?)\n\};", text, re.S).group(1)
        strings = r'((?:"(?:[^"\\]|\\.)*"\s*)+)'
        place = r"(?:offsetof\([^)]*\)|[^,]+)"
        row_of = re.compile(r'\{"(\w+)",\s*(\w+),\s*' + place + r',\s*(\d+),\s*(\d+),\s*%s,\s*\w+,\s*\w+\}|'
                            r'(?:COUNT|WEB)\((\w+),\s*(\d+),\s*(\d+),\s*%s\)' % (strings, strings))
        defaults, rows = self.defaults(path), []
        for m in row_of.finditer(body):
            name, low, high, says = (m[1], m[3], m[4], m[5]) if m[1] else (m[6], m[7], m[8], m[9])
            limits = "%s to %s" % (low, high) if int(high) else ""
            if path == "conf.c":
                rows.append(("`%s`" % name, defaults.get(name, "empty"), limits, unquote(says)))
            else:
                rows.append(("`%s`" % name, unquote(says)))
        if len(rows) != len(re.findall(r"^    (?:\{\"|COUNT\(|WEB\()", body, re.M)):
            raise Wrong("the table of settings in src/conf/%s has another form now" % path)
        head = ("Setting", "Default", "Limits", "What it is")
        return table(head if path == "conf.c" else (head[0], head[3]), rows)

    def links(self):
        messages, out = self.tsv("ipc"), []
        order = list(dict.fromkeys(m[1] for m in messages))
        unknown = set(order) - set(LINKS)
        if unknown:
            raise Wrong("tools/gen_conformance.py has no words for the channel " + unknown.pop())
        for link in order:
            out += ["", "## %s" % LINKS[link], ""]
            for name, at, phases, fds, fields, text in messages:
                if at != link:
                    continue
                out += ["### %s" % name, "", text, ""]
                facts = []
                if phases != "any":
                    facts.append("Allowed in phase: %s." % ", ".join(phases.split("|")))
                if fds != "0":
                    facts.append("File descriptors: %s." % fds.replace("-", " to "))
                if facts:
                    out += [" ".join(facts), ""]
                if fields:
                    rows = [("`%s`" % f.split(":")[0], f.split(":")[1]) for f in fields.split()]
                    out += table(("Field", "Type"), rows) + [""]
        return out[1:]

    # --- the web

    def routes(self, sections):
        text = self.text("prog/web/route.c")
        names = dict(re.findall(r"^#define (\w+) (.*)$", text, re.M))
        body = re.search(r"route_table\[\] = \{(.*?)\n\};", text, re.S).group(1)
        found = re.findall(r'\{"(\w+)", ([^,]+), \w+, (\w+)(?:\((\w+)\))?, "([^"]*)", "([^"]*)"\}', body)
        if len(found) != len(re.findall(r"^    \{", body, re.M)):
            raise Wrong("the table of prog/web/route.c has another form now")
        wanted, rows = sections.split(","), []
        for method, path, access, right, section, says in found:
            if (section.replace("PS3.18 ", "") or "-") not in wanted:
                continue
            needs = right.lower() if right else {"ANYBODY": "", "SIGNED_IN": "signed in"}[access]
            rows.append((method, "`%s`" % self.path_of(path, names), says, needs))
        if not rows:
            raise Wrong("no route has section " + sections)
        return table(("Method", "Resource", "", "Right"), rows)

    def path_of(self, text, names):
        """A path as C has it: literals, and names of others."""
        while re.search(r'(?:^|" )[A-Z]+', text):
            text = re.sub(r'(^|" )([A-Z]+)', lambda m: m[1] + names[m[2]], text)
        path = "".join(re.findall(r'"([^"]*)"', text))
        for name in ("study", "series", "instance", "frames") if "/studies/" in path else ("id",):
            path = path.replace("{}", "{%s}" % name, 1)
        return path

    def fields(self, name):
        names = {r[4]: (r[0], r[5]) for r in self.tsv("tags")}
        body = re.search(r"\b%s\[\] = \{(.*?)\};" % name, self.text("prog/web/qido_query.c"), re.S)
        rows = [names[n] for n in re.findall(r"TAG_(\w+)", body.group(1))]
        return table(("Attribute", "Tag"), [(shown, "(%s)" % tag) for tag, shown in sorted(rows)])

    def media(self):
        body = re.search(r"instance_media_type\(.*?\n}", self.text("prog/web/instance.c"), re.S).group(0)
        of = {}
        for cases, kind in re.findall(r'((?:case TS_FAMILY_\w+:\s*)+)return "([^"]+)";', body):
            of.update(dict.fromkeys(re.findall(r"TS_FAMILY_(\w+)", cases), kind))
        rows = [(name, "`%s`" % uid, "`%s`" % of.get(family, "application/octet-stream"),
                 "yes" if "lossy" in flags.split(",") else "")
                for uid, family, flags, _, name in self.tsv("xfer") if "encapsulated" in flags.split(",")]
        head = ("Transfer syntax", "UID", "Media type of its frames", "Sent without being asked for")
        return table(head, rows)

    def errors(self):
        rows = re.findall(r'X\((\w+),\s*0x\w+,\s*(\d+),\s*"([^"]*)"\)', self.text("src/base/err.h"))
        return table(("`error`", "Status", "It says"),
                     [("`%s`" % name, status, says) for name, status, says in rows if name != "OK"])

    def problem(self, status, code, when):
        """The two must stand together in prog/web, but for JSON that is written out there."""
        code_of_web = "".join(self.text(os.path.relpath(p, self.root))
                              for p in sorted(glob.glob(os.path.join(self.root, "prog/web/*.c"))))
        together = re.search(r'\b%s,\s*"%s"' % (status, code), code_of_web)
        if not together and not ('\\"error\\":\\"%s\\"' % code in code_of_web and
                                 re.search(r"status = %s\b" % status, code_of_web)):
            raise Wrong("no answer of prog/web has status %s and error %s" % (status, code))
        return (status, "`%s`" % code, when)

    # --- what the tests have shown

    @staticmethod
    def tests(text):
        """e2e/FILE.py::TEST[CASE] and the like, the cases of a test together."""
        found = {}
        for test in [] if text == "-" else text.split(" ; "):
            kind, _, rest = test.partition(" ")
            if test.startswith("e2e/"):
                name, bracket, case = test.partition("[")
                key = "`%s`" % name[len("e2e/"):].replace(".py::", " ")
                found.setdefault(key, []).extend([case[:-1]] if bracket else [])
            elif kind == "unit":
                suite, case = rest.split(" ")
                found.setdefault("unit `%s`" % suite, []).extend([] if case == "*" else ["`%s`" % case])
            else:
                found.setdefault("%s `%s`" % (kind, rest), [])
        return "; ".join(k + (": " + ", ".join(v) if v else "") for k, v in found.items())

    def hostile(self, number):
        inputs = [r for r in self.tsv_at("tests/hostile.tsv") if r[0] == number]
        rows = [(r[1].replace("*", "\\*"), r[2], self.tests(r[3])) for r in inputs]
        if not rows:
            raise Wrong("no inputs of class " + number)
        return table(("Input", "Galena", "Tests"), rows)

    def fuzzing(self):
        """A row for each target: the sums of its searches, and the most that one of them reached."""
        targets = {}
        rows = self.tsv_at("fuzz/record.tsv")[1:]
        for date, target, minutes, executions, edges, features, findings in rows:
            t = targets.setdefault(target, {"sums": [0, 0, 0], "most": [0, 0], "last": ""})
            t["sums"] = [a + int(b) for a, b in zip(t["sums"], (minutes, executions, findings))]
            t["most"] = [max(a, int(b)) for a, b in zip(t["most"], (edges, features))]
            t["last"] = max(t["last"], date)
        return table(("Target", "Minutes", "Executions", "Edges", "Features", "Findings", "Last"),
                     [("`%s`" % name, t["sums"][0], "{:,}".format(t["sums"][1]), *t["most"], t["sums"][2],
                       t["last"]) for name, t in sorted(targets.items())])

    def coverage(self, what):
        sums = {}
        for path, *numbers in self.tsv_at("tests/coverage.tsv"):
            name = path if what == "files" else os.path.dirname(path)
            for key in (name, "all"):
                sums[key] = [a + int(b) for a, b in zip(sums.get(key, [0] * 4), numbers)]

        def share(part, whole):
            return "%.1f %%" % (100 * part / whole) if whole else ""

        everything = sums.pop("all")
        rows = [("`%s`" % name, v) for name, v in sorted(sums.items())] + [("**all**", everything)]
        return table(("", "Lines", "Run", "Branches", "Taken"),
                     [(name, v[0], share(v[1], v[0]), v[2], share(v[3], v[2])) for name, v in rows])

    # --- log texts

    def says(self, text):
        """Is there a string literal in the code that has all parts of the text, in order?"""
        if self.literals is None:
            self.literals = []
            for path in sorted(glob.glob(os.path.join(self.root, "prog/*/*.c")) +
                               glob.glob(os.path.join(self.root, "src/*/*.c"))):
                with open(path, encoding="utf-8") as f:
                    code = re.sub(r'"\s*PRI\w+\s*"|"\s*PRI\w+', "", f.read())
                self.literals += [unquote(m) for m in re.findall(r'(?:"(?:[^"\\\n]|\\.)*"\s*)+', code)]
        pattern = re.compile(".*".join(re.escape(p.strip()) for p in text.split("…")))
        return any(pattern.search(l) for l in self.literals)

    # --- pages

    def directive(self, words, line):
        kind = words[0]
        if kind in ("sop", "transfer", "keys", "charsets", "settings", "links", "routes", "errors", "fields",
                    "media", "private", "hostile", "fuzzing", "coverage"):
            return getattr(self, kind)(*words[1:])
        raise Wrong("unknown line " + line)

    def rows_of(self, lines):
        """A run of @status, @problem or @log lines becomes one table."""
        kind = lines[0].split()[0]
        rows = []
        for line in lines:
            cells = [c.strip() for c in re.split(r"\s\|(?:\s|$)", line[len(kind):])]
            if kind == "@status":
                rows.append(self.status(*cells[0].split(), cells[1]))
            elif kind == "@problem":
                rows.append(self.problem(*cells[0].split(), cells[1]))
            else:
                rows.append(self.log(line, *cells))
        heads = {"@status": ("Status", "Class", "Meaning", "Sent when"),
                 "@problem": ("Status", "`error`", "When"),
                 "@log": ("The line says", "It means", "What to do")}
        return table(heads[kind], rows)

    def log(self, line, *cells):
        if len(cells) != 3:
            raise Wrong("not three cells: " + line)
        if not self.says(cells[0]):
            raise Wrong("the code does not say: " + cells[0])
        return ("`%s`" % cells[0], cells[1], cells[2])

    def page(self, path):
        out = ["<!-- Made by tools/gen_conformance.py from %s: change that file, not this one. -->" %
               os.path.basename(path), ""]
        lines = self.text(path).rstrip("\n").split("\n")
        i = 0
        while i < len(lines):
            run = i
            while run < len(lines) and re.match(r"@(status|problem|log) ", lines[run]):
                run += 1
            if run > i:
                out += self.rows_of(lines[i:run])
                i = run
                continue
            if lines[i].startswith("@"):
                out += self.directive(lines[i][1:].split(), lines[i])
            else:
                out.append(re.sub(r"\{\{([^}]+)\}\}", lambda m: self.value(m[1]), lines[i]))
            i += 1
        return "\n".join(out).rstrip("\n") + "\n"


def main():
    args = sys.argv[1:]
    check = "--check" in args
    args = [a for a in args if a != "--check"]
    root = args[0] if args else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    pages, stale = Pages(root), []
    for source in sorted(glob.glob(os.path.join(root, "docs", "*.in.md"))):
        name = os.path.relpath(source, root)
        try:
            made = pages.page(name)
        except Wrong as e:
            sys.exit("%s: %s" % (name, e))
        target = source[:-len(".in.md")] + ".md"
        have = None
        if os.path.exists(target):
            with open(target, encoding="utf-8") as f:
                have = f.read()
        if have == made:
            continue
        stale.append(os.path.relpath(target, root))
        if not check:
            with open(target, "w", encoding="utf-8") as f:
                f.write(made)
    if check and stale:
        sys.exit("out of date: %s; run tools/gen_conformance.py" % ", ".join(stale))


if __name__ == "__main__":
    main()
