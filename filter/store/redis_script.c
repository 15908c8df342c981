/*
 * redis_script.c - the scripts. Each is the head, which reads a key, and a tail.
 *
 * Numbers of 64 bits are pairs of halves (a: the higher, b: the lower), because Lua has only doubles. A script reads
 * everything before it changes anything: an error in it leaves all as it was.
 */
#include "redis_script.h"
#include "store_private.h"

#include <openssl/evp.h>
#include <stdio.h>

#define NOW                                                                                                            \
	"local now=tonumber(ARGV[1])\n"                                                                                \
	"if now==0 then local t=redis.call('TIME') now=t[1]*1000000+t[2] end\n"                                        \
	"local floor,ceil,unpack_,pack_=math.floor,math.ceil,struct.unpack,struct.pack\n"                              \
	"local F=4294967296\n"

/* load(key): its kind (0: absent, -1: not ours), and its string, or the first element of its set. */
#define LOAD                                                                                                           \
	"local function lowest(slot) return ceil((floor(now/slot)-59)*slot/1000)*1024 end\n"                           \
	"local function top(slot) return '('..string.format('%.0f',ceil((floor(now/slot)+61)*slot/1000)*1024) end\n"   \
	"local function set_expires(key,slot)\n"                                                                       \
	" local last=redis.call('ZREVRANGEBYSCORE',key,top(slot),lowest(slot),'WITHSCORES','LIMIT',0,1)\n"             \
	" if not last[2] then return 0 end\n"                                                                          \
	" return (floor(floor(tonumber(last[2])/1024)*1000/slot)+60)*slot\n"                                           \
	"end\n"                                                                                                        \
	"local function load(key)\n"                                                                                   \
	" local v=redis.pcall('GET',key)\n"                                                                            \
	" if not v then return 0 end\n"                                                                                \
	" if type(v)=='string' then\n"                                                                                 \
	"  local version,kind=v:byte(1,2)\n"                                                                           \
	"  if version~=1 then return -1 end\n"                                                                         \
	"  if #v<10 or (kind~=1 and kind~=2 and kind~=4) or (kind==2 and #v<26) or (kind==4 and #v~=18) or not "       \
	"(unpack_('<d',v,3)>now) then return 0 "                                                                       \
	"end\n"                                                                                                        \
	"  return kind,v\n"                                                                                            \
	" end\n"                                                                                                       \
	" if v.err:sub(1,9)~='WRONGTYPE' then redis.call('GET',key) end\n"                                             \
	" local first=redis.pcall('ZRANGE',key,0,0)\n"                                                                 \
	" if first.err or first[1]:byte(1)~=1 then return -1 end\n"                                                    \
	" first=first[1]\n"                                                                                            \
	" if #first~=9 then return 0 end\n"                                                                            \
	" local slot=unpack_('<d',first,2)\n"                                                                          \
	" if not (slot>=16666 and slot<=6e11) or set_expires(key,slot)<=now then return 0 end\n"                       \
	" return 3,first\n"                                                                                            \
	"end\n"                                                                                                        \
	"local function save(key,v,expires) redis.call('SET',key,v,'PX',ceil((expires-now)/1000)+1) end\n"

#define HEAD NOW LOAD

/* The most frequent question: one window whose slots keep their length, and what is added fits. It does what the
 * general part does, without making its functions; whatever is unusual in the arguments or the value is left to that.
 */
#define SIMPLE                                                                                                         \
	"if #KEYS==1 and ARGV[7]=='' and ARGV[3]=='0' then\n"                                                          \
	" local key,slot,amount,rep=KEYS[1],tonumber(ARGV[2]),tonumber(ARGV[4]),string.rep\n"                          \
	" local v,newest=redis.pcall('GET',key),floor(now/slot)\n"                                                     \
	" local good,n,older,e,total,was,last=not v,0,0,nil,amount\n"                                                  \
	" if type(v)=='string' and #v>=26 then\n"                                                                      \
	"  local version,kind,expires\n"                                                                               \
	"  version,kind,expires,was,last=unpack_('<BBddd',v)\n"                                                        \
	"  n,older=(#v-26)/9,newest-last\n"                                                                            \
	"  good=version==1 and kind==2 and expires>now and was==slot and older>=0 and older<9e15 and "                 \
	"older==floor(older)\n"                                                                                        \
	"   and n<=60 and n==floor(n)\n"                                                                               \
	"  e=good and {unpack_('<'..rep('BI4I4',n),v,27)}\n"                                                           \
	" end\n"                                                                                                       \
	" local before,kept,first,current=-1,0,1,amount\n"                                                             \
	" for i=1,good and n*3 or 0,3 do\n"                                                                            \
	"  local age,count=e[i]+older,e[i+2]\n"                                                                        \
	"  if e[i+1]>0 or count==0 or age<=before then good=false end\n"                                               \
	"  before,e[i]=age,age\n"                                                                                      \
	"  if age==0 then current,first=amount+count,4 end\n"                                                          \
	"  if age<60 then total,kept=total+count,i+2 end\n"                                                            \
	" end\n"                                                                                                       \
	" if good and total<=tonumber(ARGV[5])*F+tonumber(ARGV[6]) and current<F then\n"                               \
	"  if amount>0 then\n"                                                                                         \
	"   local expires=(newest+60)*slot\n"                                                                          \
	"   local rest=older==0 and kept==n*3 and v and v:sub(first*3+24)\n"                                           \
	"   if rest then v=pack_('<BBdddBI4I4',1,2,expires,slot,newest,0,0,current)..rest\n"                           \
	"   else\n"                                                                                                    \
	"    local form='<BBdddBI4I4'..rep('BI4I4',(kept-first+1)/3)\n"                                                \
	"    v=pack_(form,1,2,expires,slot,newest,0,0,current,unpack(e or {},first,kept))\n"                           \
	"   end\n"                                                                                                     \
	"   redis.call('SET',key,v,'PX',ceil((expires-now)/1000)+1)\n"                                                 \
	"  end\n"                                                                                                      \
	"  return {0,now,floor(total/F),total%F,0}\n"                                                                  \
	" end\n"                                                                                                       \
	"end\n"

/* Windows: h and l are the halves of the counts by age. */
#define WINDOWS                                                                                                        \
	"local function norm(a,b) a=a+floor(b/F) b=b%F if a>=F then return F-1,F-1 end return a,b end\n"               \
	"local function le(a,b,c,d) return a<c or (a==c and b<=d) end\n"                                               \
	"local function window(v,slot)\n"                                                                              \
	" local h,l,was,last,n={},{}\n"                                                                                \
	" if v then\n"                                                                                                 \
	"  was,last=unpack_('<dd',v,11)\n"                                                                             \
	"  n=(#v-26)/9\n"                                                                                              \
	"  if n~=floor(n) or n>60 or not (was>=16666 and was<=6e11 and last>=0 and last*was<9e15) then was=nil end\n"  \
	" end\n"                                                                                                       \
	" slot=slot or was or 16666\n"                                                                                 \
	" local newest=floor(now/slot)\n"                                                                              \
	" if was then\n"                                                                                               \
	"  local e={unpack_('<'..string.rep('BI4I4',n),v,27)}\n"                                                       \
	"  for i=1,n*3,3 do\n"                                                                                         \
	"   local s=last-e[i]\n"                                                                                       \
	"   if was~=slot then s=floor(s*was/slot) end\n"                                                               \
	"   local age=newest-s\n"                                                                                      \
	"   if age<-60 then return {},{},newest,slot end\n"                                                            \
	"   if age<0 then age=0 end\n"                                                                                 \
	"   if age<60 then h[age],l[age]=norm((h[age] or 0)+e[i+1],(l[age] or 0)+e[i+2]) end\n"                        \
	"  end\n"                                                                                                      \
	" end\n"                                                                                                       \
	" return h,l,newest,slot\n"                                                                                    \
	"end\n"                                                                                                        \
	"local function sum(h,l)\n"                                                                                    \
	" local a,b=0,0\n"                                                                                             \
	" for age,x in pairs(l) do a=a+h[age] b=b+x end\n"                                                             \
	" return norm(a,b)\n"                                                                                          \
	"end\n"                                                                                                        \
	"local function save_window(key,h,l,newest,slot)\n"                                                            \
	" local e,n,first={},0\n"                                                                                      \
	" for age=0,59 do\n"                                                                                           \
	"  if l[age] and (h[age]>0 or l[age]>0) then\n"                                                                \
	"   first=first or age\n"                                                                                      \
	"   e[n*3+1],e[n*3+2],e[n*3+3]=age,h[age],l[age]\n"                                                            \
	"   n=n+1\n"                                                                                                   \
	"  end\n"                                                                                                      \
	" end\n"                                                                                                       \
	" if n==0 then redis.call('DEL',key) return end\n"                                                             \
	" local expires=(newest-first+60)*slot\n"                                                                      \
	" save(key,pack_('<BBddd'..string.rep('BI4I4',n),1,2,expires,slot,newest,unpack(e)),expires)\n"                \
	"end\n"

#define WAITS                                                                                                          \
	"local function window_wait(w,ah,al,Hh,Hl)\n"                                                                  \
	" if not le(ah,al,Hh,Hl) then return w.slot*60 end\n"                                                          \
	" local rh,rl,sh,sl=Hh-ah,Hl-al,w.sh,w.sl\n"                                                                   \
	" if rl<0 then rh,rl=rh-1,rl+F end\n"                                                                          \
	" for age=59,0,-1 do\n"                                                                                        \
	"  if w.l[age] then\n"                                                                                         \
	"   sh,sl=sh-w.h[age],sl-w.l[age]\n"                                                                           \
	"   if sl<0 then sh,sl=sh-1,sl+F end\n"                                                                        \
	"   if le(sh,sl,rh,rl) then return (w.newest-age+60)*w.slot-now end\n"                                         \
	"  end\n"                                                                                                      \
	" end\n"                                                                                                       \
	" return w.slot*60\n"                                                                                          \
	"end\n"                                                                                                        \
	"local function set_wait(key,w,hard)\n"                                                                        \
	" if hard<1 then return w.slot*60 end\n"                                                                       \
	" local k=w.sl-hard\n"                                                                                         \
	" if k<0 then return w.slot end\n"                                                                             \
	" local m=redis.call('ZRANGEBYSCORE',key,lowest(w.slot),top(w.slot),'WITHSCORES','LIMIT',k,1)\n"               \
	" if not m[2] then return w.slot end\n"                                                                        \
	" local wait=(floor(floor(tonumber(m[2])/1024)*1000/w.slot)+60)*w.slot-now\n"                                  \
	" return wait>0 and wait or w.slot\n"                                                                          \
	"end\n"

static const char reserve_text[] = NOW SIMPLE LOAD WINDOWS WAITS
    "local answer,views=0,{}\n"
    "for i,key in ipairs(KEYS) do\n"
    " local a=i*6-4\n"
    " local slot,ah,al,Hh,Hl=tonumber(ARGV[a]),tonumber(ARGV[a+1]),tonumber(ARGV[a+2]),tonumber(ARGV[a+3]),"
    "tonumber(ARGV[a+4])\n"
    " local member=ARGV[a+5]\n"
    " local kind,v=load(key)\n"
    " if kind==-1 then return {4} end\n"
    " if kind~=0 and kind~=(member=='' and 2 or 3) then return {5} end\n"
    " local w={slot=slot,member=member,kind=kind,wait=0}\n"
    " if member=='' then\n"
    "  w.h,w.l,w.newest=window(v,slot)\n"
    "  w.sh,w.sl=sum(w.h,w.l)\n"
    "  w.ah,w.al=ah,al\n"
    "  if ah>0 or al>0 then\n"
    "   local a,b=w.sh+ah,w.sl+al\n"
    "   if b>=F then a,b=a+1,b-F end\n"
    "   if not le(a,b,Hh,Hl) then answer=3 w.wait=window_wait(w,ah,al,Hh,Hl) if w.wait<=0 then w.wait=slot end end\n"
    "  end\n"
    " else\n"
    "  w.first,w.newest,w.sh,w.sl=v,floor(now/slot),0,0\n"
    "  if v then\n"
    "   w.sl=redis.call('ZCOUNT',key,lowest(slot),top(slot))\n"
    "   w.score=tonumber(redis.call('ZSCORE',key,member) or -1)\n"
    "   if w.score<lowest(slot) then w.score=nil end\n"
    "  end\n"
    "  local hard=Hh*F+Hl\n"
    "  w.full=not w.score and w.sl>=10000\n"
    "  local fits=w.score or (w.full and hard>=F*F-4096) or (not w.full and w.sl+1<=hard)\n"
    "  if not fits then answer=3 w.wait=set_wait(key,w,hard) end\n"
    " end\n"
    " views[i]=w\n"
    "end\n"
    "local out={answer,now}\n"
    "for i,key in ipairs(KEYS) do\n"
    " local w=views[i]\n"
    " if answer==0 and w.member=='' then\n"
    "  if w.ah>0 or w.al>0 then\n"
    "   w.h[0],w.l[0]=norm((w.h[0] or 0)+w.ah,(w.l[0] or 0)+w.al)\n"
    "   w.sh,w.sl=norm(w.sh+w.ah,w.sl+w.al)\n"
    "   save_window(key,w.h,w.l,w.newest,w.slot)\n"
    "  end\n"
    " elseif answer==0 and not w.full then\n"
    "  local first='\\1'..pack_('<d',w.slot)\n"
    "  if w.kind==0 then redis.call('DEL',key)\n"
    "  else redis.call('ZREMRANGEBYSCORE',key,'(0','('..string.format('%.0f',lowest(w.slot)))\n"
    "   redis.call('ZREMRANGEBYSCORE',key,top(w.slot):sub(2),'+inf')\n"
    "   if w.first~=first then redis.call('ZREM',key,w.first) end\n"
    "  end\n"
    "  if w.first~=first then redis.call('ZADD',key,0,first) end\n"
    "  local holds=w.score and w.score%1024 or 0\n"
    "  if holds<1023 then holds=holds+1 end\n"
    "  if not w.score then w.sl=w.sl+1 end\n"
    "  redis.call('ZADD',key,string.format('%.0f',ceil(w.newest*w.slot/1000)*1024+holds),w.member)\n"
    "  redis.call('PEXPIRE',key,ceil(((w.newest+60)*w.slot-now)/1000)+1)\n"
    " end\n"
    " out[i*3],out[i*3+1],out[i*3+2]=w.sh,w.sl,w.wait\n"
    "end\n"
    "return out\n";

static const char release_text[] =
    HEAD WINDOWS "local found={}\n"
		 "for i,key in ipairs(KEYS) do\n"
		 " local kind,v=load(key)\n"
		 " if kind==-1 then return {4} end\n"
		 " found[i]={kind,v}\n"
		 "end\n"
		 "for i,key in ipairs(KEYS) do\n"
		 " local a=i*4-2\n"
		 " local ah,al,at,member=tonumber(ARGV[a]),tonumber(ARGV[a+1]),tonumber(ARGV[a+2]),ARGV[a+3]\n"
		 " local kind,v=found[i][1],found[i][2]\n"
		 " if kind==2 and member=='' then\n"
		 "  local h,l,newest,slot=window(v)\n"
		 "  local age=newest-floor(at/slot)\n"
		 "  if l[age] and age>=0 and age<60 then\n"
		 "   if le(h[age],l[age],ah,al) then h[age],l[age]=nil,nil\n"
		 "   else h[age],l[age]=h[age]-ah,l[age]-al\n"
		 "    if l[age]<0 then h[age],l[age]=h[age]-1,l[age]+F end\n"
		 "   end\n"
		 "   save_window(key,h,l,newest,slot)\n"
		 "  end\n"
		 " elseif kind==3 and member~='' then\n"
		 "  local slot=unpack_('<d',v,2)\n"
		 "  local score=tonumber(redis.call('ZSCORE',key,member) or -1)\n"
		 "  if score>=lowest(slot) and score%1024<1023 then\n"
		 "   if score%1024>1 then redis.call('ZADD',key,string.format('%.0f',score-1),member)\n"
		 "   else redis.call('ZREM',key,member)\n"
		 "    if redis.call('ZCOUNT',key,lowest(slot),top(slot))==0 then redis.call('DEL',key) end\n"
		 "   end\n"
		 "  end\n"
		 " end\n"
		 "end\n"
		 "return {0}\n";

static const char put_text[] = HEAD "local kind,v=load(KEYS[1])\n"
				    "if ARGV[3]=='1' and kind~=0 then return {2} end\n"
				    "if kind==-1 then return {4} end\n"
				    "if ARGV[3]=='2' and (kind~=1 or v:sub(11)~=ARGV[5]) then return {2} end\n"
				    "local expires=now+tonumber(ARGV[2])\n"
				    "save(KEYS[1],pack_('<BBd',1,1,expires)..ARGV[4],expires)\n"
				    "return {0}\n";

static const char renew_text[] =
    HEAD "local answer,old,expires=0,{},now+tonumber(ARGV[2])\n"
	 "for i,key in ipairs(KEYS) do\n"
	 " local kind,v=load(key)\n"
	 " if kind==-1 then answer=4\n"
	 " elseif kind~=1 or unpack_('<d',v,3)-now<tonumber(ARGV[3]) then old[#old+1]=key end\n"
	 "end\n"
	 "for i,key in ipairs(old) do\n"
	 " save(key,pack_('<BBd',1,1,expires)..ARGV[4],expires)\n"
	 "end\n"
	 "return {answer}\n";

static const char get_text[] = HEAD WINDOWS "local out={}\n"
					    "for i,key in ipairs(KEYS) do\n"
					    " local kind,v=load(key)\n"
					    " local life,a,b,value=0,0,0,''\n"
					    " if kind==1 then life,value=unpack_('<d',v,3)-now,v:sub(11)\n"
					    " elseif kind==2 then\n"
					    "  a,b=sum(window(v))\n"
					    "  life=unpack_('<d',v,3)-now\n"
					    " elseif kind==3 then\n"
					    "  local slot=unpack_('<d',v,2)\n"
					    "  b=redis.call('ZCOUNT',key,lowest(slot),top(slot))\n"
					    "  life=set_expires(key,slot)-now\n"
					    " elseif kind==4 then life,a,b=unpack_('<dI4I4',v,3) life=life-now\n"
					    " end\n"
					    " if (kind==2 or kind==3) and a==0 and b==0 then kind=0 end\n"
					    " local o=i*5-4\n"
					    " out[o],out[o+1],out[o+2],out[o+3],out[o+4]=kind,life,a,b,value\n"
					    "end\n"
					    "return out\n";

/* The index of a sum is a sorted set of its members, all with the score 0. */
static const char add_text[] =
    HEAD WINDOWS "local n=#KEYS/2\n"
		 "local kinds,values={},{}\n"
		 "for i=1,n do\n"
		 " kinds[i]=load(KEYS[i*2-1])\n"
		 " local type=redis.call('TYPE',KEYS[i*2]).ok\n"
		 " if kinds[i]==-1 or (type~='none' and type~='zset') then return {4} end\n"
		 "end\n"
		 "for i=1,n do\n"
		 " local key,index,a=KEYS[i*2-1],KEYS[i*2],i*4-2\n"
		 " local kind,v=load(key)\n"
		 " local expires,h,l=now+tonumber(ARGV[a]),tonumber(ARGV[a+1]),tonumber(ARGV[a+2])\n"
		 " if kind==4 then\n"
		 "  local e,oh,ol=unpack_('<dI4I4',v,3)\n"
		 "  if e>expires then expires=e end\n"
		 "  h,l=norm(h+oh,l+ol)\n"
		 " end\n"
		 " save(key,pack_('<BBdI4I4',1,4,expires,h,l),expires)\n"
		 " redis.call('ZADD',index,0,ARGV[a+3])\n"
		 " local left=ceil((expires-now)/1000)+1\n"
		 " if redis.call('PTTL',index)<left then redis.call('PEXPIRE',index,left) end\n"
		 "end\n"
		 "return {0}\n";

/* A replica cannot forget members whose sums expired, and need not. */
static const char sums_text[] =
    HEAD "local from=ARGV[2]=='' and '-' or '('..ARGV[2]\n"
	 "local members=redis.call('ZRANGEBYLEX',KEYS[1],from,'+','LIMIT',0,ARGV[3])\n"
	 "local out={0}\n"
	 "for i,member in ipairs(members) do\n"
	 " local kind,v=load(KEYS[1]..member)\n"
	 " local life,a,b=0,0,0\n"
	 " if kind==4 then life,a,b=unpack_('<dI4I4',v,3) life=life-now\n"
	 " elseif kind==0 then redis.pcall('ZREM',KEYS[1],member) end\n"
	 " local o=i*6-4\n"
	 " out[o],out[o+1],out[o+2],out[o+3],out[o+4],out[o+5]=kind==4 and 4 or 0,life,a,b,'',member\n"
	 "end\n"
	 "return out\n";

static const char forget_text[] = HEAD "local kind=load(KEYS[1])\n"
				       "redis.call('DEL',KEYS[1])\n"
				       "redis.pcall('ZREM',KEYS[2],ARGV[2])\n"
				       "return {kind==0 and 1 or 0}\n";

static const char delete_text[] = HEAD "local kind=load(KEYS[1])\n"
				       "redis.call('DEL',KEYS[1])\n"
				       "return {kind==0 and 1 or 0}\n";

static const char lease_text[] = HEAD "local kind,v=load(KEYS[1])\n"
				      "if kind==-1 then return {2} end\n"
				      "if kind>1 then return {5} end\n"
				      "if kind==1 and v:sub(11)~=ARGV[3] then return {2} end\n"
				      "local expires=now+tonumber(ARGV[2])\n"
				      "save(KEYS[1],pack_('<BBd',1,1,expires)..ARGV[3],expires)\n"
				      "return {0}\n";

static const char unlease_text[] = HEAD "local kind,v=load(KEYS[1])\n"
					"if kind==-1 then return {2} end\n"
					"if kind>1 then return {5} end\n"
					"if kind==0 then return {1} end\n"
					"if v:sub(11)~=ARGV[2] then return {2} end\n"
					"redis.call('DEL',KEYS[1])\n"
					"return {0}\n";

_Static_assert(STORE_OK == 0 && STORE_ABSENT == 1 && STORE_EXISTS == 2 && STORE_OVER == 3 && STORE_UNAVAILABLE == 4 &&
		   STORE_INVALID == 5,
	       "the scripts answer with these numbers");
_Static_assert(PUT_ABSENT == 1 && PUT_SAME == 2 && STORE_VALUE == 1 && STORE_WINDOW == 2 && STORE_DISTINCT == 3 &&
		   STORE_SUM == 4 && STORE_SLOTS == 60 && STORE_DISTINCT_MAX == 10000,
	       "the scripts have these numbers");

static const struct slice texts[REDIS_SCRIPTS] = {
    [REDIS_RESERVE] = {reserve_text, sizeof(reserve_text) - 1},
    [REDIS_RELEASE] = {release_text, sizeof(release_text) - 1},
    [REDIS_PUT] = {put_text, sizeof(put_text) - 1},
    [REDIS_RENEW] = {renew_text, sizeof(renew_text) - 1},
    [REDIS_GET] = {get_text, sizeof(get_text) - 1},
    [REDIS_DELETE] = {delete_text, sizeof(delete_text) - 1},
    [REDIS_LEASE] = {lease_text, sizeof(lease_text) - 1},
    [REDIS_ADD] = {add_text, sizeof(add_text) - 1},
    [REDIS_SUMS] = {sums_text, sizeof(sums_text) - 1},
    [REDIS_FORGET] = {forget_text, sizeof(forget_text) - 1},
    [REDIS_UNLEASE] = {unlease_text, sizeof(unlease_text) - 1},
};

static char sums[REDIS_SCRIPTS][REDIS_SHA1_TEXT];

struct slice redis_script_text(enum redis_script script)
{
	return texts[script];
}

const char *redis_script_sha1(enum redis_script script)
{
	return sums[script];
}

void redis_scripts_init(void)
{
	for (size_t i = 0; i < REDIS_SCRIPTS; i++) {
		unsigned char sum[EVP_MAX_MD_SIZE];
		unsigned n = 0;

		if (EVP_Digest(texts[i].p, texts[i].n, sum, &n, EVP_sha1(), NULL) != 1 || n * 2 >= REDIS_SHA1_TEXT)
			die("OpenSSL has no SHA-1");
		for (unsigned j = 0; j < n; j++)
			snprintf(sums[i] + 2 * j, 3, "%02x", sum[j]);
	}
}
