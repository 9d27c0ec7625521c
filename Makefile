# Builds the nginx module and kairos-replicator into $(B), and runs the tests.
#
#     make              both programs
#     make run          the demo, see tools/run
#     make test         every suite, see docs/testing.md
#     make client       the npm package of the client, see docs/client.md
#     make soak         SOAK=600: clients converge whatever goes wrong
#     make bench        what a message to many costs, see docs/benchmark.md
#     make bench-instructions   the instructions that an operation costs
#     make install      PREFIX, DESTDIR
#
# CC=clang builds with clang.  SAN=1 builds everything with ASan and UBSan
# into .build/asan.  V=1 shows the commands.

CC          = cc
PREFIX      = /usr/local
PORT       ?= 8080

# nginx's headers and build system, as Debian's nginx-dev installs them
NGINX_SRC   = /usr/share/nginx/src

VERSION    := $(shell sed -n 's/^.define KAIROS_VERSION *"\(.*\)"/\1/p' \
                common/kairos_version.h)

Q           = $(if $(V),,@)

HARDEN_LD   = -Wl,-z,relro -Wl,-z,now

ifdef FUZZ
B           = .build/libfuzzer
OPT         = -O1 -fno-omit-frame-pointer
HARDEN      =
SANITIZE    = -fsanitize=fuzzer-no-link,address,undefined \
              -fno-sanitize-recover=undefined
else ifdef SAN
B           = .build/asan
OPT         = -O1 -fno-omit-frame-pointer
HARDEN      =
SANITIZE    = -fsanitize=address,undefined -fno-sanitize-recover=undefined

# a leak is found after nginx has closed the module; its functions have names
# only as long as it is there
HARDEN_LD  += -Wl,-z,nodelete
else
B           = .build
OPT         = -O2
HARDEN      = -fstack-protector-strong -D_FORTIFY_SOURCE=2
SANITIZE    =
endif

WARN        = -Wall -Wextra -Werror -Wformat -Werror=format-security

CFLAGS      = $(WARN) $(OPT) -g $(HARDEN) $(SANITIZE)
LDFLAGS     = $(HARDEN_LD) $(SANITIZE)

N          := $(B)/nginx
PKGS        = libpq libevent_core jansson libcrypto

# asked once, and only by a target that compiles
PKG_CFLAGS  = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PKGS))) \
              $(PKG_CFLAGS)
PKG_LIBS    = $(eval PKG_LIBS := $$(shell pkg-config --libs $(PKGS))) \
              $(PKG_LIBS)

NGX_INC     = $(addprefix -I $(N)/,src/core src/event src/event/modules \
                src/os/unix src/http src/http/modules src/http/v2 objs)

# a folder of sources is included by its files' base names, which are unique
FOLDERS     = $(filter %/,$(wildcard $(1) $(addsuffix */,$(1))))
MODULE_DIR  = $(call FOLDERS,ngx_kairos_module/)
REPL_DIR    = $(call FOLDERS,replicator/)
MODULE_INC  = $(addprefix -I,common $(MODULE_DIR:/=))
REPL_INC    = $(addprefix -I,common $(REPL_DIR:/=))

MODULE_SRC  = $(wildcard $(addsuffix *.[ch],$(MODULE_DIR) common/))
REPL_OBJ    = $(patsubst %.c,$(B)/obj/%.o,\
                $(wildcard $(addsuffix *.c,$(REPL_DIR) common/)))


.DELETE_ON_ERROR:
.SUFFIXES:

.PHONY: all module replicator www run install-deps test unit corpus fuzz \
        fuzzers debug-nginx nginx-test e2e waits valgrind browser client \
        client-test lint sanitize soak bench bench-instructions install \
        uninstall clean FORCE

all: module replicator

module: $(B)/ngx_http_kairos_module.so

replicator: $(B)/kairos-replicator


# What the compiler is called with; newer only if that changed.

$(B)/flags: FORCE
	$(Q)mkdir -p $(B)
	$(Q)echo '$(CC) $(CFLAGS) $(LDFLAGS) $(NGINX_SRC)' | cmp -s - $@ \
	    || echo '$(CC) $(CFLAGS) $(LDFLAGS) $(NGINX_SRC)' > $@


# The module: a copy of nginx's build system, configured once.

$(N)/.configured: $(B)/flags $(wildcard config)
	@echo "  CONFIGURE $(N)"
	$(Q)tools/configure-nginx $(NGINX_SRC) $(N) '$(CC)' \
	    '$(OPT) -g $(HARDEN) $(SANITIZE)' '$(LDFLAGS)'
	$(Q)touch $@

$(B)/ngx_http_kairos_module.so: $(N)/.configured $(MODULE_SRC)
	@echo "  MODULE    $@"
	$(Q)+tools/quietly $(B)/module.log \
	    $(MAKE) -C $(N) -f objs/Makefile modules
	$(Q)cp $(N)/objs/ngx_http_kairos_module.so $@.new && mv $@.new $@


# The replicator, and objects in general.

$(B)/kairos-replicator: $(REPL_OBJ)
	@echo "  LINK      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lpg_query

$(B)/obj/common/%.o: common/%.c $(B)/flags
	@echo "  CC        $<"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -Icommon -c -o $@ $<

$(B)/obj/replicator/%.o: replicator/%.c $(B)/flags
	@echo "  CC        $<"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(PKG_CFLAGS) $(REPL_INC) -MMD -MP -c -o $@ $<

$(B)/obj/ngx_kairos_module/%.o: ngx_kairos_module/%.c $(N)/.configured
	@echo "  CC        $<"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -Wno-unused-parameter $(NGX_INC) $(MODULE_INC) \
	    -MMD -MP -c -o $@ $<

$(B)/obj/t/%.o: t/%.c $(N)/.configured
	@echo "  CC        $<"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -Wno-unused-parameter $(PKG_CFLAGS) $(NGX_INC) \
	    $(MODULE_INC) $(REPL_INC) -It -MMD -MP -c -o $@ $<


# Unit tests and fuzz drivers name what they are linked with in comments;
# tools/test-rules makes rules of them, and the lists UNIT and CORPUS.

ifdef FUZZ
FUZZ_MAIN   =
FUZZ_FLAGS  = -fsanitize=fuzzer
else
FUZZ_MAIN   = $(B)/obj/t/fuzz/run_corpus.o
endif

$(B)/tests.mk: tools/test-rules $(wildcard t/unit/*.c t/fuzz/*.c)
	$(Q)mkdir -p $(B)
	$(Q)tools/test-rules > $@

ifneq ($(filter-out clean install-deps,$(or $(MAKECMDGOALS),all)),)
-include $(B)/tests.mk
-include $(shell test -d $(B)/obj && find $(B)/obj -name '*.d')
endif

unit: $(UNIT)
	$(Q)tools/tap $(UNIT)

corpus: $(CORPUS)
	$(Q)tools/tap $(CORPUS)

# Drivers for libFuzzer; run one as .build/libfuzzer/fuzz/fuzz_NAME CORPUS.

fuzz:
	$(Q)+$(MAKE) B=.build/libfuzzer CC=clang FUZZ=1 fuzzers

fuzzers: $(CORPUS)


# The other suites; tools/test runs them all.

SUITES      = $(wildcard t/*.t)
# Those that wait for much longer than they work have a suite of their own.
# What memory is taken with a sanitizer says nothing.

WAITS       = $(addprefix t/e2e/,partitions.test.mjs silence.test.mjs)
E2E         = $(filter-out $(WAITS) $(if $(SAN),t/e2e/memory.test.mjs),\
                $(wildcard t/e2e/*.test.mjs))
BROWSER     = $(wildcard t/browser/*.test.mjs)
CLIENT      = $(wildcard t/client/*.test.mjs)

# Sanitized suites run in an nginx that is sanitized too.

DEBUG_NGINX = $(if $(SAN),$(B)/debug/nginx)

debug-nginx: $(B)/debug/nginx

$(B)/debug/nginx: $(B)/flags $(wildcard tools/build-debug)
	@echo "  NGINX     $@"
	$(Q)+CC='$(CC)' tools/build-debug $(B)/debug

nginx-test: module $(DEBUG_NGINX)
	$(Q)B=$(B) tools/nginx-test $(SUITES)

e2e: all $(DEBUG_NGINX) $(B)/nomem.so t/node_modules/.package-lock.json
	$(Q)B=$(B) tools/node-test $(E2E)

waits: all $(DEBUG_NGINX) t/node_modules/.package-lock.json
	$(Q)B=$(B) tools/node-test $(WAITS)

# An allocator that fails now and then, for LD_PRELOAD.

$(B)/nomem.so: t/fault/nomem.c $(B)/flags
	@echo "  CC        $<"
	$(Q)$(CC) $(WARN) -O2 -g -fPIC -shared -o $@ $< -ldl

# A part of it with the module in Debian's nginx under valgrind.

VALGRIND    = t/valgrind/storm.test.mjs $(addprefix t/e2e/,\
                broadcast.test.mjs channels.test.mjs handshake.test.mjs \
                query.test.mjs)

valgrind: all t/node_modules/.package-lock.json
	$(Q)B=$(B) tools/valgrind-test $(VALGRIND)

browser: all www t/node_modules/.package-lock.json
	$(Q)B=$(B) tools/node-test $(BROWSER)

# The npm package of the client, as it would be published.

client: $(B)/client/.built

CLIENT_SRC  = $(filter-out client/node_modules,\
                $(wildcard client/* client/*/*.ts))

$(B)/client/.built: $(CLIENT_SRC) LICENSE
	@echo "  CLIENT    $(@D)"
	$(Q)mkdir -p $(B)
	$(Q)tools/quietly $(B)/client.log client/build $(abspath $(@D))
	$(Q)touch $@

client-test: all client t/node_modules/.package-lock.json
	$(Q)B=$(B) KAIROS_CLIENT=$(abspath $(B))/client \
	    tools/node-test $(CLIENT)

t/node_modules/.package-lock.json: t/package.json t/package-lock.json
	@echo "  NPM       t"
	$(Q)tools/quietly $(B)/npm-test.log npm ci --prefix t --no-audit --no-fund
	$(Q)touch $@

lint: $(N)/.configured
	$(Q)INC='$(MODULE_INC) $(REPL_INC)' NGX_INC='$(NGX_INC)' \
	    PKG_CFLAGS='$(PKG_CFLAGS)' tools/lint

sanitize:
	$(Q)+$(MAKE) SAN=1 unit corpus nginx-test e2e

test:
	$(Q)+tools/test

# SOAK is how many seconds it goes on, FAULT may name one of its faults.

soak: all $(DEBUG_NGINX) t/node_modules/.package-lock.json
	$(Q)B=$(B) tools/soak $(or $(SOAK),600) $(if $(FAULT),'$(FAULT)')

# Fan-out beside a bare loop, see docs/benchmark.md.

bench: module $(B)/bench/load $(B)/bench/bare
	$(Q)B=$(B) bench/fanout/run

# Instructions of both programs; BUILDS may name two builds to compare.

bench-instructions: all t/node_modules/.package-lock.json
	$(Q)bench/instructions/run $(or $(BUILDS),$(B))

$(B)/bench/%: bench/fanout/%.c $(B)/flags
	@echo "  CC        $<"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE $(CFLAGS) $(LDFLAGS) -o $@ $<


install-deps:
	$(Q)tools/install-deps run


# The demo.

run:
	$(Q)+exec env --default-signal=INT,QUIT PORT=$(PORT) tools/run

www: $(B)/www/index.html

$(B)/www/index.html: $(filter-out www/node_modules,$(wildcard www/*)) \
                     $(B)/client/.built
	@echo "  WWW       $(@D)"
	$(Q)mkdir -p $(B)
	$(Q)tools/quietly $(B)/www.log www/build $(abspath $(@D) \
	    $(B)/client)
	$(Q)touch $@


# Where a package would put it all; the modules' folders are nginx's.

MODULES     = /usr/lib/nginx/modules
AVAILABLE   = /usr/share/nginx/modules-available
UNITS       = /usr/lib/systemd/system
EXAMPLES    = $(PREFIX)/share/doc/kairos/examples

install: all
	install -d $(addprefix $(DESTDIR),$(MODULES) $(AVAILABLE) $(UNITS) \
	    $(EXAMPLES) $(PREFIX)/bin)
	install -m 644 $(B)/ngx_http_kairos_module.so $(DESTDIR)$(MODULES)/
	install -m 755 $(B)/kairos-replicator $(DESTDIR)$(PREFIX)/bin/
	install -m 644 conf/kairos.conf \
	    $(DESTDIR)$(AVAILABLE)/mod-http-kairos.conf
	install -m 644 conf/nginx.conf conf/kairos-replicator.env \
	    $(DESTDIR)$(EXAMPLES)/
	sed 's,/usr/local/bin/,$(PREFIX)/bin/,' conf/kairos-replicator.service \
	    > $(DESTDIR)$(UNITS)/kairos-replicator.service
	chmod 644 $(DESTDIR)$(UNITS)/kairos-replicator.service

uninstall:
	rm -f $(DESTDIR)$(MODULES)/ngx_http_kairos_module.so \
	    $(DESTDIR)$(PREFIX)/bin/kairos-replicator \
	    $(DESTDIR)$(AVAILABLE)/mod-http-kairos.conf \
	    $(DESTDIR)$(UNITS)/kairos-replicator.service
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/kairos

clean:
	rm -rf .build
