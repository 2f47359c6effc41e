#!/bin/sh
# Print the first Python that the course can use. Prints nothing where there is none.
for name in python3 python3.12 python3.13 python3.11 python; do
    if command -v "$name" >/dev/null 2>&1 &&
        "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
        echo "$name"
        exit 0
    fi
done
