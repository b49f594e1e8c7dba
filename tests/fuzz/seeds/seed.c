/* What C compilers describe: lists, unions, bit fields, function pointers, inlined functions, loops. */
struct node {
    int value;
    struct node *next;
    union { long whole; unsigned short parts[4]; } word;
    enum { RED, GREEN = 7 } color : 3;
};
typedef int (*callback)(const struct node *, int);
static struct node nodes[3];
volatile int sink;

static inline int twice(int x) {
    int y = x + sink;
    sink = y;
    return y * 2;
}

int walk(const struct node *first, callback each, int depth) {
    int sum = 0;
    for (const struct node *at = first; at; at = at->next) {
        int local = twice(at->value);
        sum += each ? each(at, local) : local;
    }
    return depth > 0 ? sum + walk(first, each, depth - 1) : sum;
}

int main(int argc, char **argv) {
    nodes[0].next = &nodes[1];
    return walk(nodes, 0, argc);
}

void _start(void) {
    main(1, 0);
    for (;;) {
    }
}
