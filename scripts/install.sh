# SPDX-License-Identifier: Apache-2.0
# Puts a build where clouds run from, apart from where it is built, and its command into PATH. Each build has a folder of its
# own, so that what runs goes on from its own when a newer one comes; `ferrostack up` drops those that nothing needs any more,
# and `ferrostack destroy` of the last cloud all of it (see ferrostack/src/installation.rs).

INSTALLED=/usr/local/lib/ferrostack
COMMAND=/usr/local/bin/ferrostack

# install_build BINARY: prints the path of the program as installed.
install_build() {
  local built=$1 build folder
  build=$("$built" --version | sed -n 's/.*build \([0-9a-f]*\).*/\1/p')
  [ -n "$build" ] || die "$built does not say which build it is" "build it with ./up"
  folder=$INSTALLED/$build
  if [ ! -x "$folder/ferrostack" ]; then
    rm -rf "$folder.new" # of a run that was killed
    mkdir -p "$folder.new"
    # Names for backtraces (and lines, if it was built with them) lie beside the program, which finds them by its debug link.
    objcopy --only-keep-debug --compress-debug-sections=zlib "$built" "$folder.new/ferrostack.debug"
    (cd "$folder.new" && objcopy --strip-all --add-gnu-debuglink=ferrostack.debug "$built" ferrostack && chmod 755 ferrostack)
    mv -T "$folder.new" "$folder"
  fi
  printf '%s\n' "$COMMAND" >"$INSTALLED/link"
  if is_our_command || { [ ! -e "$COMMAND" ] && [ ! -L "$COMMAND" ]; }; then
    mkdir -p "${COMMAND%/*}"
    ln -sfn "$folder/ferrostack" "$COMMAND.new"
    mv -fT "$COMMAND.new" "$COMMAND"
  else
    note "$COMMAND is not of this project and stays as it is; call $folder/ferrostack instead" >&2
  fi
  printf '%s\n' "$folder/ferrostack"
}

is_our_command() { [ -L "$COMMAND" ] && [[ $(readlink "$COMMAND") == "$INSTALLED"/* ]]; }

# commit_of FOLDER: what a checkout is of, with a word if something in it was changed; nothing where there is no git.
commit_of() { git -C "$1" -c safe.directory="$1" describe --always --dirty=+changes --abbrev=12 2>/dev/null || true; }
