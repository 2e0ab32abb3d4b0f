# SPDX-License-Identifier: MIT
# Makes compile_commands.json of make's dry run, which it reads: an entry for each line that compiles one file (the last
# such line, should there be several). -v folder=DIR: where make ran. A compiler cache is left out: a tool that reads
# the file would take it for the compiler.

/ -c [^ ]+ -o [^ ]+$/ {
    sub(/^[ \t]+/, "")
    sub(/^ccache +/, "")
    file = $(NF - 2)
    if (!(file in command)) order[count++] = file
    gsub(/\\/, "&&")
    gsub(/"/, "\\\"")
    command[file] = $0
}

END {
    print "["
    for (i = 0; i < count; i++) {
        printf "  {\n    \"directory\": \"%s\",\n    \"file\": \"%s\",\n    \"command\": \"%s\"\n  }%s\n",
            folder, order[i], command[order[i]], i < count - 1 ? "," : ""
    }
    print "]"
    exit count == 0
}
