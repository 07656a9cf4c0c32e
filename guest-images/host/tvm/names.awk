# SPDX-License-Identifier: BSD-2-Clause
#
# Turn the constants of cove.h into the tables of names that `tvm call` knows.
#
#   COVE_EID_<EXT>         begins an extension
#   COVE_<EXT>_<FUNCTION>  is one of its functions, until a line without
#   COVE_ERR_<NAME>        is an error

function emit(line) { functions = functions line "\n" }

$1 == "#define" && $2 ~ /^COVE_ERR_/ {
	value = $3
	gsub(/[()]/, "", value)
	errors = errors "\t{ \"" substr($2, 10) "\", " value " },\n"
	next
}
$1 == "#define" && $2 ~ /^COVE_EID_/ {
	ext = substr($2, 10)
	extensions = extensions "\t{ \"" tolower(ext) "\", " $2 " },\n"
	next
}
$1 == "#define" && ext != "" && index($2, "COVE_" ext "_") == 1 {
	name = tolower(substr($2, length(ext) + 7))
	emit("\t{ COVE_EID_" ext ", \"" name "\", " $2 " },")
	next
}
{ ext = "" }

END {
	print "/* Generated from cove.h by names.awk; do not edit. */"
	print "static const struct error_name error_names[] = {\n" errors "};"
	print "static const struct extension_name extension_names[] = {\n" extensions "};"
	print "static const struct function_name function_names[] = {\n" functions "};"
}
