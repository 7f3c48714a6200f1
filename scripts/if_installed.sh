#!/bin/sh
# Run a check whose tool `make install-test` does not install. A missing tool is reported; with CI=true it is a failure.
#   if_installed.sh TOOL PACKAGE COMMAND...
tool=$1
package=$2
shift 2
if command -v "$tool" >/dev/null; then
  exec "$@"
fi
echo "Skipped, because $tool is not installed. Install $package and run this again."
test "$CI" != true
