"""The style of the status page.

Colours are set once per scheme as variables; every colour meets WCAG 2.2's 4.5:1 on its background (a test computes
it in a browser). No meaning is in a colour alone: each has a word and a sign. The page fetches no font, image or other
file. An animation shows the line that says how old the page is.
"""

from __future__ import annotations

AGED_AFTER = 150  #: seconds after which a page in a browser says that it is old

_COLOURS = """
:root{color-scheme:light dark;
--ground:#f6f5f1;--paper:#fff;--ink:#1d2125;--soft:#565d66;--line:#dcdad3;--link:#1a4f9c;
--good:#14612f;--good-g:#e3f2e6;--bad:#9c1c1c;--bad-g:#fbe6e3;--doubt:#744700;--doubt-g:#fcefcc;
--note:#1b4f8f;--note-g:#e4eefb;--quiet:#565d66;--quiet-g:#eceae5}
@media (prefers-color-scheme:dark){:root{
--ground:#15181b;--paper:#1d2125;--ink:#e5e4e0;--soft:#a5abb3;--line:#363c42;--link:#93bdf5;
--good:#86d69b;--good-g:#1c3325;--bad:#ffa8a0;--bad-g:#43201f;--doubt:#f0c668;--doubt-g:#3a2e14;
--note:#9dc4f7;--note-g:#1e3048;--quiet:#a5abb3;--quiet-g:#2b3036}}
"""

_TEXT = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-padding-top:3.5rem;overflow-anchor:none}
body{margin:0;background:var(--ground);color:var(--ink);
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;overflow-wrap:anywhere}
body>header,main,body>footer{max-width:78rem;margin:0 auto;padding:0 1rem}
body>header{display:flex;flex-wrap:wrap;gap:.1rem 1.25rem;align-items:baseline;padding-top:.8rem;padding-bottom:.7rem;
color:var(--soft);font-size:.9rem}
body>header b{color:var(--ink);font-size:1.05rem}
body>header span:last-child{margin-left:auto}
h1,h2,h3,h4,p,dl,dd,ul,ol{margin:0;padding:0}
ul,ol{list-style:none}
h2{font-size:1.25rem;line-height:1.3;margin:1.9rem 0 .6rem}
h3{font-size:1rem;margin:1.3rem 0 .5rem}
h4{font-size:1rem;font-weight:600;line-height:1.4}
a{color:var(--link);text-underline-offset:.15em;padding:.3rem 0}
a:focus-visible,summary:focus-visible{outline:3px solid var(--link);outline-offset:2px;border-radius:2px}
b,a,code,span,time,td,th,dd,li{unicode-bidi:isolate}
code{font:.88em/1.4 ui-monospace,"Cascadia Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
.soft{color:var(--soft)}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.skip{position:absolute;left:-99rem;background:var(--paper);padding:.5rem 1rem;z-index:3}
.skip:focus{left:0;top:0}
summary{cursor:pointer;color:var(--soft);padding:.1rem 0;line-height:1.5rem}
summary h3{display:inline;color:var(--ink);margin-right:.4rem}
details[open]>summary{margin-bottom:.4rem}
"""

#: A status as word and sign: `.s` is the label, the second class sets colour and sign.
_TONES = """
.good{--t:var(--good);--g:var(--good-g)}.bad{--t:var(--bad);--g:var(--bad-g)}.doubt{--t:var(--doubt);--g:var(--doubt-g)}
.note{--t:var(--note);--g:var(--note-g)}.quiet{--t:var(--quiet);--g:var(--quiet-g)}
.s{display:inline-block;color:var(--t);background:var(--g);border-radius:.3rem;padding:0 .45rem;font-size:.85rem;
font-weight:600;line-height:1.5rem;white-space:nowrap}
.s::before,.word::before{margin-right:.35em}
.pass::before,.yes::before{content:"\\2713";content:"\\2713"/""}
.fail::before,.no::before{content:"\\2717";content:"\\2717"/""}
.warn::before,.degraded::before{content:"!";content:"!"/""}
.inconclusive::before,.not-proven::before{content:"?";content:"?"/""}
.notice::before{content:"i";content:"i"/""}
.not-applicable::before{content:"\\2013";content:"\\2013"/""}
.broken::before{content:"\\2717\\2717";content:"\\2717\\2717"/""}
.bad-word{color:var(--bad);font-weight:600}.doubt-word{color:var(--doubt);font-weight:600}
.banner{background:var(--g);color:var(--t);border-left:.4rem solid var(--t);border-radius:.3rem;padding:.6rem .9rem;
margin:.7rem 0}
.aged{position:sticky;top:0;z-index:2;margin:0 auto;max-width:76rem;visibility:hidden;height:0;padding-top:0;
padding-bottom:0;overflow:hidden;animation:aged 1ms AGEDs forwards}
@keyframes aged{to{visibility:visible;height:auto;padding-top:.6rem;padding-bottom:.6rem}}
"""

_PARTS = """
.answer{background:var(--paper);border:1px solid var(--line);border-left:.5rem solid var(--t);border-radius:.4rem;
padding:1rem 1.25rem 1.1rem}
.answer h1{font-size:1.3rem;line-height:1.35;font-weight:600}
.word{display:block;font-size:2.4rem;line-height:1.15;color:var(--t);letter-spacing:.01em}
.answer p{margin-top:.35rem;max-width:62rem}
.digest{margin-top:.6rem}
.digest li{padding:.1rem 0}
.facts{display:flex;flex-wrap:wrap;gap:.5rem 2.25rem;margin-top:.9rem}
.facts dt,.rows dt{color:var(--soft);font-size:.85rem}
.facts dd{font-weight:600}
.facts dd small{font-weight:400;font-size:.85rem;color:var(--soft);display:block}
.group{margin-top:.5rem}
.group>.counts{margin-top:1rem}.counts h3{display:inline;margin-right:.4rem}
.healthy{background:var(--paper);border:1px solid var(--line);border-radius:.4rem;padding:.25rem .7rem;margin-top:.4rem}
.cause{background:var(--paper);border:1px solid var(--line);border-left:.3rem solid var(--t);border-radius:.4rem;
padding:.8rem 1rem;margin:.6rem 0}
.cause code{color:var(--soft)}
.rows>div{display:grid;grid-template-columns:7.5rem minmax(0,1fr);gap:0 1rem;margin-top:.4rem}
.rows dt{padding-top:.1rem}
.do dd{font-weight:600}
.pairs li{display:grid;grid-template-columns:7.5rem minmax(0,1fr);gap:0 .7rem}
.pairs span{color:var(--soft);font-size:.9rem}
.lines li{padding:.1rem 0}
.changes,.plain{background:var(--paper);border:1px solid var(--line);border-radius:.4rem;padding:.3rem 1rem}
.changes>li,.plain>li{padding:.45rem 0;border-top:1px solid var(--line)}
.changes>li:first-child,.plain>li:first-child{border-top:0}
.changes>li{display:grid;grid-template-columns:12.5rem minmax(0,1fr);gap:0 1rem}
.changes time{color:var(--soft);font-size:.9rem;font-variant-numeric:tabular-nums}
.chain li{display:inline}
.chain li+li::before{content:" \\2192\\a0";color:var(--soft)}
body>footer{color:var(--soft);font-size:.9rem;padding-top:2rem;padding-bottom:2.5rem}
footer ul{display:flex;flex-wrap:wrap;gap:.2rem 1.25rem}
"""

_TABLES = """
table{width:100%;border-collapse:collapse;background:var(--paper);border:1px solid var(--line);font-size:.9rem;
font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);font-size:.9rem;padding:.2rem 0 .4rem}
.targets{margin-top:.5rem}
th,td{text-align:left;vertical-align:top;padding:.4rem .6rem}
thead th{color:var(--soft);font-weight:600;font-size:.8rem;border-bottom:1px solid var(--line)}
tbody th{font-weight:600}
tbody{border-top:1px solid var(--line)}
.targets{table-layout:fixed}
.targets>tbody>tr>th{box-shadow:inset .25rem 0 var(--t);padding-left:.85rem}
.targets>thead th:first-child{padding-left:.85rem}
.targets small{display:block;color:var(--soft);font-weight:400}
.open>td{padding-top:0;padding-bottom:.45rem}
.open summary{font-size:.88rem}
.c-name{width:23%}.c-status{width:10%}.c-cause{width:11%}.c-since{width:7%}.c-addresses{width:11%}.c-times{width:15%}
.c-issuer{width:10%}.c-until{width:13%}
.more{scroll-margin-top:5rem;padding-bottom:.5rem}
.more table{margin-top:.7rem;width:auto;min-width:min(100%,34rem);background:none}
.more caption{padding-top:.3rem}
.more th,.more td{padding:.2rem .6rem}
.more tbody{border-top:0}.more tbody th{font-weight:400;min-width:7rem}
@media (min-width:72rem){.more{display:grid;grid-template-columns:minmax(0,1fr) auto;gap:0 2rem}.more table{margin-top:0;
min-width:26rem;align-self:start}}
"""

_PHONE = """
@media (max-width:71.99rem){
.targets,.targets>caption,.targets>tbody,.targets>tbody>tr,.targets>tbody>tr>td,.targets>tbody>tr>th{display:block;width:auto}
.targets{background:none;border:0}
.targets>thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.targets>tbody{background:var(--paper);border:1px solid var(--line);border-left:.25rem solid var(--t);
border-radius:.4rem;margin:.5rem 0;padding:.5rem .75rem}
.targets>tbody>tr>th,.targets>tbody>tr>td{padding:0;box-shadow:none}
.targets>tbody>tr.row{display:flex;flex-wrap:wrap;gap:.1rem 1rem;align-items:baseline}
.targets>tbody>tr.row>th{flex:1 0 100%}
.targets>tbody>tr.row>td:nth-child(n+4)::before{color:var(--soft)}
.row>td:nth-child(4)::before{content:"since "}
.row>td:nth-child(5)::before{content:"addresses "}
.row>td:nth-child(6)::after{content:" ms"}
.row>td:nth-child(7)::before{content:"issuer "}
.row>td:nth-child(8)::before{content:"certificate until "}
.row>td:empty{display:none!important}
.targets>tbody>tr.open{margin-top:.3rem}
}
@media (max-width:34rem){
body>header,main,body>footer{padding-left:.75rem;padding-right:.75rem}
.facts>div{display:grid;grid-template-columns:6.8rem minmax(0,1fr);width:100%}
.facts dt{padding-top:.1rem}
.answer{padding:.8rem .9rem}
.word{font-size:2rem}
.answer h1{font-size:1.15rem}
.cause{padding:.7rem .8rem}
.rows>div,.pairs li,.changes>li{display:block}
.rows dd{margin-bottom:.3rem}
.more table{min-width:0;width:100%;font-size:.85rem}
.more th,.more td{padding:.2rem .35rem}
}
"""

_PAPER = """
@media print{
:root{--ground:#fff;--paper:#fff;--ink:#000;--soft:#333;--line:#999;--link:#000}
html{font-size:10pt}
.skip,.aged{display:none}
details::details-content{content-visibility:visible;height:auto}
.answer,.cause,.targets>tbody,tr,.changes li{break-inside:avoid}
h2,h3,h4,caption{break-after:avoid}
}
"""

STYLE = "".join(
    line.strip()
    for part in (_COLOURS, _TEXT, _TONES, _PARTS, _TABLES, _PHONE, _PAPER)
    for line in part.replace("AGED", str(AGED_AFTER)).splitlines(keepends=True)
)
