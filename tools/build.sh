#!/bin/sh
# Links the commands, compiles src/ into dist/, as far as it changed, and puts the programs together
# in dist/programs; `npm run clean` before it builds from nothing.
set -e
cd "$(dirname "$0")/.."

if [ ! -e node_modules/typescript ]; then
  echo "build: TypeScript is not installed; run 'npm ci' with its development dependencies" >&2
  exit 1
fi

# npm links the commands of the packages a project depends on, but not those of the project itself.
commands=$(bin/node -p '
  const { bin } = require("./package.json");
  Object.entries(bin).map(([name, file]) => `${name} ${file}`).join("\n")
')
mkdir -p node_modules/.bin
echo "$commands" | while read -r name file; do
  ln -sfn "../../$file" "node_modules/.bin/$name"
done

# `tsc -b` leaves the outputs of deleted sources behind. Only those are removed, so that a rebuild
# takes a fraction of a second and commands that are running keep their files.
if [ -d dist ]; then
  find dist -name '*.js' ! -path 'dist/programs/*' | while read -r output; do
    source=src/${output#dist/}
    [ -e "${source%.js}.ts" ] ||
      rm -f "$output" "$output.map" "${output%.js}.d.ts" "${output%.js}.d.ts.map"
  done
fi
bin/node node_modules/typescript/bin/tsc -b src/cli
bin/node tools/bundle.ts
