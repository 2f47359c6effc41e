#!/bin/sh
# Print the Python that the course is to use: the one that is named, else the first that fits.
# Where there is none, say what to do, and fail.
#
#     sh tools/find_python.sh [PYTHON]
[ -n "$1" ] || set -- python3 python3.12 python3.13 python3.14 python3.11 python

found=
for name in "$@"; do
    version=$("$name" -c 'import platform; print(platform.python_version())' 2>/dev/null) || continue
    case $version in
    3.11.* | 3.12.* | 3.13.* | 3.14.*)
        echo "$name"
        exit 0
        ;;
    esac
    found="$found${found:+, }$name is $version"
done
echo "The course needs Python 3.11, 3.12, 3.13 or 3.14, for which its PyTorch has builds, and" \
    "here ${found:-is none}. Install one of them beside it, or name one: make lab" \
    "PYTHON=/path/to/python3.12. (conda brings its own: see README.md)" >&2
exit 1
