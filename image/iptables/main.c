/* The entry: two programs in one file, told apart by the name that they are called by. */
#include <string.h>

#include "ip6tables-multi.h"
#include "iptables-multi.h"

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash != NULL ? slash + 1 : argv[0];

	return strcmp(name, "ip6tables") == 0 ? ip6tables_main(argc, argv) : iptables_main(argc, argv);
}
