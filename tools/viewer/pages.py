#!/usr/bin/python3
"""Makes the pages that Galena serves at /viewer/ out of those that OHIF ships.

    pages.py PACKAGE/dist FOLDER

Left out: source maps; models and runtimes that would be loaded from other hosts; icons and start pictures
for telephones; what asks a sign-in provider of its own. The one page refers to /viewer/ and has no script in
its text. The codecs' glue makes no functions out of text. So the viewer lives with a strict policy, which
get_viewer.sh tells.
"""
import os
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LEFT_OUT = re.compile(r"""
    .*\.map$ | ort/ | customizations/ | _headers$ | _redirects$ | serve\.json$ | app-config\.js$ |
    google\.js$ | sw\.js$ | init-service-worker\.js$ | silent-refresh\.html$ | oidc-client.* |
    polyfill.* | es6-shim.* | manifest\.json$ | .*\.txt$ | assets/(?!images/|favicon\.ico$)""", re.X)
EVAL_FREE = {  # what begins each, in the embind of several years
    "createNamedFunction": r"function createNamedFunction\(name,\s*body\)",
    "craftInvokerFunction": r"function craftInvokerFunction\(humanName,\s*argTypes,\s*classType,[^)]*\)",
    "craftEmvalAllocator": r"function craftEmvalAllocator\(argCount\)",
    "__emval_get_method_caller": r"(?<=var )__emval_get_method_caller=\(argCount,argTypes,kind\)=>",
}
OWN_PLACE = '__webpack_require__.p = "/";'  # where scripts look for more of them


def function_at(text, start):
    """Where the function that begins there ends. Strings with braces do not occur in these two unbalanced."""
    depth = 0
    for i in range(text.index("{", text.index(")", start)), len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return i + 1
    raise ValueError("a function without end")


def ours(name):
    with open(os.path.join(HERE, "embind.js"), encoding="utf-8") as f:
        text = f.read()
    start = text.index("function %s(" % name)
    return text[start:function_at(text, start)]


def without_eval(text):
    """Only where the function makes others out of text: newer embind has the same names for other things."""
    for name, begin in EVAL_FREE.items():
        pieces, at = [], 0
        for m in re.finditer(begin, text):
            end = function_at(text, m.start())
            if re.search(r"new Function\(|\(Function,", text[m.start():end]):
                own = ours(name)
                pieces += [text[at:m.start()], name + "=" + own if "=>" in m.group() else own]
                at = end
        text = "".join(pieces + [text[at:]])
    return text


def script(text):
    return without_eval(text).replace(OWN_PLACE, OWN_PLACE.replace('"/"', '"/viewer/"'))



def page(text):
    text = re.sub(r"<script>.*?</script>", "", text, flags=re.S)
    text = re.sub(r"<script[^>]*(?:init-service-worker|app-config)[^>]*></script>", "", text)
    text = re.sub(r"<link rel=\"(?:manifest|apple-touch[^\"]*|yandex[^\"]*|icon)\"[^>]*>", "", text)
    text = re.sub(r"<meta name=\"(?:apple-|msapplication-)[^>]*>", "", text)
    text = re.sub(r"((?:src|href)=\")/", r"\1/viewer/", text)
    own = '<script src="/viewer/app-config.js"></script><script src="/viewer/boot.js"></script>' \
        '<script src="/viewer/session.js"></script><link rel="stylesheet" href="/viewer/narrow.css">'
    text, n = re.subn(r"<title>.*?</title>", "<title>Galena viewer</title>" + own, text)
    if n != 1 or "<script>" in text:
        raise ValueError("OHIF's page is not as it was")
    return text


def style(text):
    return re.sub(r"url\((['\"]?)/(?!/)", r"url(\1/viewer/", text)


MAKERS = {".html": page, ".js": script, ".css": style}


def main(source, target):
    for folder, _, names in os.walk(source):
        for name in names:
            path = os.path.join(folder, name)
            shown = os.path.relpath(path, source)
            if LEFT_OUT.match(shown):
                continue
            made = os.path.join(target, shown)
            os.makedirs(os.path.dirname(made), exist_ok=True)
            make = next((MAKERS[end] for end in MAKERS if name.endswith(end)), None)
            if not make:
                shutil.copyfile(path, made)
                continue
            with open(path, encoding="utf-8") as f:
                text = f.read()
            with open(made, "w", encoding="utf-8") as f:
                f.write(make(text))
    for name in ("app-config.js", "boot.js", "session.js", "narrow.css"):
        shutil.copyfile(os.path.join(HERE, name), os.path.join(target, name))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
