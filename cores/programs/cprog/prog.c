/*
 * A C program, for what the tools say to a process that is not Go's. It prints
 * one line of JSON and answers the commands of the Go programs that make sense:
 * "crash" and "abort" end it by SIGABRT, the end of stdin ends it well.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct node {
	struct node *next;
	char text[48];
};

static struct node *nodes;

int main(void)
{
	enum { COUNT = 1000 };
	for (int i = 0; i < COUNT; i++) {
		struct node *node = calloc(1, sizeof *node);
		if (!node)
			return 1;
		snprintf(node->text, sizeof node->text, "node %d", i);
		node->next = nodes;
		nodes = node;
	}
	printf("{\"program\":\"cprog\",\"pid\":%d,\"facts\":{\"nodes\":%d}}\n", (int)getpid(),
	       COUNT);
	fflush(stdout);
	char line[64];
	while (fgets(line, sizeof line, stdin))
		if (!strcmp(line, "crash\n") || !strcmp(line, "abort\n"))
			abort();
	return 0;
}
