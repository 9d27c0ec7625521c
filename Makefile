# Builds the nginx module and kairos-replicator into $(B), and runs the tests.
#
#     make              both programs
#     make run          the demo, see tools/run
#     make test         every suite, see docs/testing.md
#     make install      PREFIX, DESTDIR
#
# CC=clang builds with clang.  SAN=1 builds everything with ASan and UBSan
# into .build/asan.  V=1 shows the commands.

CC          = cc
PREFIX      = /usr/local
PORT        = 8080

# nginx's headers and build system, as Debian's nginx-dev installs them
NGINX_SRC   = /usr/share/nginx/src

VERSION    := $(shell sed -n 's/^.define KAIROS_VERSION *"\(.*\)"/\1/p' \
                common/kairos_version.h)

Q           = $(if $(V),,@)

ifdef SAN
B           = .build/asan
OPT         = -O1 -fno-omit-frame-pointer
HARDEN      =
SANITIZE    = -fsanitize=address,undefined -fno-sanitize-recover=undefined
else
B           = .build
OPT         = -O2
HARDEN      = -fstack-protector-strong -D_FORTIFY_SOURCE=2
SANITIZE    =
endif

HARDEN_LD   = -Wl,-z,relro -Wl,-z,now
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
                src/os/unix src/http src/http/modules objs)

MODULE_SRC  = $(wildcard ngx_kairos_module/*.[ch] common/*.[ch])
REPL_OBJ    = $(patsubst %.c,$(B)/obj/%.o,$(wildcard replicator/*.c common/*.c))


.DELETE_ON_ERROR:
.SUFFIXES:

.PHONY: all module replicator www run install-deps test unit corpus fuzz \
        nginx-test e2e browser lint sanitize install uninstall clean FORCE

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
	$(Q)cp $(N)/objs/ngx_http_kairos_module.so $@


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
	$(Q)$(CC) $(CFLAGS) $(PKG_CFLAGS) -MMD -MP -Icommon -c -o $@ $<

$(B)/obj/ngx_kairos_module/%.o: ngx_kairos_module/%.c $(N)/.configured
	@echo "  CC        $<"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -Wno-unused-parameter $(NGX_INC) -MMD -MP -Icommon \
	    -c -o $@ $<

$(B)/obj/t/%.o: t/%.c $(N)/.configured
	@echo "  CC        $<"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -Wno-unused-parameter $(PKG_CFLAGS) $(NGX_INC) \
	    -MMD -MP -Icommon -Ingx_kairos_module -Ireplicator -It -c -o $@ $<


# Unit tests and fuzz drivers name what they are linked with in comments;
# tools/test-rules makes rules of them, and the lists UNIT and CORPUS.

$(B)/tests.mk: tools/test-rules $(wildcard t/unit/*.c t/fuzz/*.c)
	$(Q)mkdir -p $(B)
	$(Q)tools/test-rules > $@

ifneq ($(filter-out clean install-deps,$(or $(MAKECMDGOALS),all)),)
-include $(B)/tests.mk
-include $(shell test -d $(B)/obj && find $(B)/obj -name '*.d')
endif

unit: $(UNIT)
	$(Q)tools/unit $(UNIT)

clean:
	rm -rf .build
