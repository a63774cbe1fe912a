#!/usr/bin/env bash
# lint.sh BUILD_DIR JOBS: clang-format on every C++ and CUDA source, clang-tidy on every C++ source that BUILD_DIR compiles.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
build=${1:?lint.sh: a configured build directory is needed} jobs=${2:-2}

mapfile -t sources < <(git ls-files '*.cpp' '*.hpp' '*.cu' '*.cuh')
clang-format --dry-run --Werror "${sources[@]}"
echo "clang-format: ${#sources[@]} files are formatted"

cmake --build "$build" -j "$jobs" --target lossmap_output > /dev/null  # the sources it generates
# Only what this build compiles: cuda/device needs CUDA's headers.
mapfile -t units < <(git ls-files 'engine/*.cpp' 'onnx_import/*.cpp' 'cuda/*.cpp' 'kernels/*.cpp' 'bench/*.cpp' |
    while read -r unit; do grep -qF "/$unit\"" "$build/compile_commands.json" && echo "$unit"; done)
printf '%s\n' "${units[@]}" | xargs -P "$jobs" -n 4 clang-tidy --quiet -p "$build"
echo "clang-tidy: ${#units[@]} files are clean"
