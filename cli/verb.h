#pragma once

/*
 * What diag can do. A verb is one file, cmd_VERB.c, one function below and one row of the table in
 * main.c. It reads its own options with getopt_long(), writes results to stdout and complaints to
 * stderr, and returns the exit status.
 */

#define EXIT_COULD_NOT 2 /* called wrongly, or nobody to ask; health is 0, 1 or 3 */

/** A verb. @argv[0] is what it is called in complaints: "diag status". */
typedef int verb_fn(int argc, char *argv[]);

verb_fn cmd_bundle;
verb_fn cmd_cert;
verb_fn cmd_cluster;
verb_fn cmd_forget;
verb_fn cmd_maintenance;
verb_fn cmd_node;
verb_fn cmd_nodes;
verb_fn cmd_status;
verb_fn cmd_unit;
verb_fn cmd_units;
