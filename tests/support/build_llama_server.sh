#!/usr/bin/env bash
# Builds llama-server, a real model server for the integration tests, into build/llama/bin. Once: about four minutes on two
# cores. The sources are those of llama.cpp v0.5.0 (MIT), which the npm package node-llama-cpp carries as a git bundle; its
# hash is pinned here. Nothing else is downloaded: no web page, no model. `./dev setup test` calls this.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder="$root/build/llama" script="$root/tests/support/build_llama_server.sh"
package=node-llama-cpp version=3.22.1 release=v0.5.0
sha512=bltIipuWmc123H7tMIgDGKSsSrhmhlQYeVUC48XTjVW7XGJJiJJyCdlTMzQ/LiWoPkGDpcL4FviDpgw7qfTiDw==

say() { printf '%s\n' "$*" >&2; }
fail() { say "build_llama_server: $*"; exit 1; }

# This script is the stamp: whatever changes in it builds anew.
cmp -s "$script" "$folder/built-by.sh" && [ -x "$folder/bin/llama-server" ] && exit 0
say "dev: building llama-server $release into build/llama, once (about four minutes on two cores)"

mkdir -p "$folder"
cd "$folder"
archive="$package-$version.tgz"
matches() { [ "$(openssl dgst -sha512 -binary "$archive" | base64 -w0)" = "$sha512" ]; }
if ! { [ -f "$archive" ] && matches; }; then
  PATH="$root/build/venv/bin:$PATH" npm pack "$package@$version" --loglevel=error >/dev/null || fail "npm could not fetch $package@$version"
  matches || fail "$archive is not the file whose hash is pinned here"
fi
rm -rf sources objects
tar -xzf "$archive" --strip-components=2 package/llama/gitRelease.bundle
git clone -q gitRelease.bundle sources 2>/dev/null || fail "git could not unpack the sources"
rm gitRelease.bundle

# -O1 and no code for this machine's processor: the models are tiny, the build is what costs. The web page would be fetched
# at build time, and router mode, tools and outside TLS are of no use here.
options=(
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE=-O1 -DCMAKE_CXX_FLAGS_RELEASE=-O1 -DBUILD_SHARED_LIBS=OFF
  -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld-19
  -DGGML_NATIVE=OFF -DGGML_OPENMP=OFF -DGGML_CCACHE=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_SUBPROCESS=OFF
  -DLLAMA_BUILD_IS_DEV=OFF -DLLAMA_BUILD_NUMBER=0 -DLLAMA_BUILD_COMMIT="$release"
  -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_USE_PREBUILT_UI=OFF
)
# The same objects serve every checkout on this machine.
export CCACHE_BASEDIR="$folder"
if command -v ccache >/dev/null; then options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
started=$SECONDS
if ! { cmake -S sources -B objects -G Ninja "${options[@]}" &&
       nice -n 5 cmake --build objects --parallel "${DEV_JOBS:-$(nproc)}" --target llama-server
     } >build.log 2>&1 </dev/null; then
  tail -n 30 build.log >&2
  fail "llama-server could not be built (the last words are above, all of them in build/llama/build.log)"
fi
mkdir -p bin
cp objects/bin/llama-server bin/
cp "$script" built-by.sh
rm -rf sources objects
say "dev: llama-server is ready after $((SECONDS - started)) s"
