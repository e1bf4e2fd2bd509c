#!/bin/sh
# Gets what the tests with a browser and with others' DICOM clients use, into node_modules/: exactly what
# tools/node/package-lock.json names and the digests there prove. No script of a package runs.
#
#     tools/get_node.sh            does nothing when they are there
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
root=$(dirname -- "$here")
wanted=$(sha256sum <"$here/node/package-lock.json")
[ "$(cat "$root/node_modules/made-of" 2>/dev/null)" != "$wanted" ] || exit 0

echo "Getting playwright-core, dicomweb-client and dcmjs-dimse (once) ..."
work=$(mktemp -d "$root/build-node.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp "$here/node/package.json" "$here/node/package-lock.json" "$work"
(cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --silent)
rm -rf "$root/node_modules"
echo "$wanted" >"$work/node_modules/made-of"
mv "$work/node_modules" "$root/node_modules"
