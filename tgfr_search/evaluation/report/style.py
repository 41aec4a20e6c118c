"""The page's style sheet: light and dark, wide and narrow, on screen and on paper."""

STYLE = """
:root{color-scheme:light dark;--bg:#fff;--ink:#1f2328;--soft:#59636e;--line:#d1d9e0;--card:#f6f8fa;--good:#0a7f42;
--bad:#c2262e;--same:#59636e;--warn:#9a6700;--accent:#0b62d6}
@media (prefers-color-scheme:dark){:root{--bg:#0d1117;--ink:#e6edf3;--soft:#9198a1;--line:#30363d;--card:#161b22;
--good:#3fb950;--bad:#ff6b62;--same:#9198a1;--warn:#d29922;--accent:#6cb0ff}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:1.5rem 1.25rem 4rem;background:var(--bg);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{font-size:1.7rem;line-height:1.2;margin:.2rem 0 .3rem}
h2{font-size:1.25rem;margin:2.6rem 0 .5rem;padding-top:.8rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.2rem 0 .4rem}
p{margin:.4rem 0;max-width:62rem}
a{color:var(--accent)}
small,.soft{color:var(--soft)}
nav{display:flex;flex-wrap:wrap;gap:.2rem .9rem;margin:.8rem 0 0;font-size:.9rem}
.notice{border-left:4px solid var(--warn);padding:.3rem .8rem;margin:.8rem 0;background:var(--card);font-size:.92rem}
.facts{color:var(--soft);font-size:.92rem}
.verdict{font-size:1.18rem;line-height:1.4;font-weight:600;margin:.35rem 0;max-width:62rem}
.levels{display:grid;gap:.7rem;margin:1rem 0}
.level{border:1px solid var(--line);border-radius:10px;background:var(--card);padding:.7rem 1rem;display:grid;
grid-template-columns:8.5rem minmax(18rem,1fr) minmax(15rem,21rem);gap:.4rem 1.4rem;align-items:center}
.level h3{margin:0;font-size:1.1rem}
.level h3 small{display:block;font-weight:400;font-size:.82rem}
.bars{display:grid;grid-template-columns:max-content 1fr max-content;gap:.2rem .7rem;align-items:center}
.bars b{font-weight:600}
.bars .value{font-variant-numeric:tabular-nums;text-align:right;white-space:nowrap}
.strip{position:relative;height:1.05rem;min-width:5rem;
background:linear-gradient(var(--line),var(--line)) center/100% 1px no-repeat}
.strip i{position:absolute;top:.4rem;height:.25rem;border-radius:2px;opacity:.55}
.strip u{position:absolute;top:.17rem;width:.7rem;height:.7rem;margin-left:-.35rem;border-radius:50%}
.axis{display:flex;justify-content:space-between;font-size:.75rem;color:var(--soft)}
.pills{display:grid;gap:.35rem;font-size:.9rem}
.pill{border-radius:8px;padding:.25rem .6rem;border:1px solid currentColor}
.pill span{color:var(--ink)}
.better{color:var(--good)}.worse{color:var(--bad)}.same{color:var(--same)}
.fte{grid-column:2/-1;font-size:.85rem;color:var(--soft)}
.wide{overflow-x:auto;margin:.5rem 0}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.2rem 0 .3rem}
th,td{padding:.28rem .7rem .28rem .1rem;text-align:left;vertical-align:top;white-space:nowrap;
border-bottom:1px solid var(--line)}
thead th{border-bottom:2px solid var(--line);color:var(--soft);font-weight:600}
tr.first>*{border-top:2px solid var(--line)}
tr.main td,tr.main th{background:var(--card)}
.words{white-space:normal;min-width:14rem}
td small{display:block;font-size:.8rem}
.swatch{display:inline-block;width:.7rem;height:.7rem;border-radius:50%;margin-right:.4rem;vertical-align:-.02rem}
.notes{font-size:.82rem;color:var(--soft);margin:.2rem 0;padding-left:1.4rem}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,17rem),1fr));gap:.8rem 1.2rem;margin:.6rem 0}
.plots figure{margin:0;min-width:0}
.plots figcaption{font-size:.86rem;font-weight:600}
.plots svg{width:100%;height:auto;max-width:26rem;display:block}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;font-size:.88rem;margin:.3rem 0}
.examples{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,22rem),1fr));gap:.8rem}
.example{border:1px solid var(--line);border-radius:10px;background:var(--card);padding:.7rem}
.faces{display:grid;grid-template-columns:repeat(3,1fr);gap:.5rem}
.faces figure b{display:inline-block;margin-top:.35rem}
.faces figure{margin:0;font-size:.78rem;line-height:1.35;overflow-wrap:anywhere}
.faces img,.faces .none{width:100%;aspect-ratio:1;border-radius:6px;display:block;object-fit:cover;
background:var(--line)}
.faces .none{display:grid;place-items:center;color:var(--soft);font-size:.75rem;text-align:center;padding:.3rem}
.faces .hit img{outline:3px solid var(--good)}.faces .miss img{outline:3px solid var(--bad)}
.said{font-size:.86rem;margin:.5rem 0 0}
details{margin:.6rem 0}
summary{cursor:pointer;font-weight:600}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.2rem;font-size:.9rem;overflow-wrap:anywhere}
dt{color:var(--soft)}dd{margin:0;min-width:0}
@media (max-width:56rem){.level{grid-template-columns:1fr}.fte{grid-column:1}dl{grid-template-columns:1fr}
dd{margin-bottom:.4rem}body{padding:1rem .8rem 3rem}h1{font-size:1.4rem}}
@media print{body{max-width:none}.level,.example,figure,tr{break-inside:avoid}nav{display:none}
details:not([open])>*{display:block}}
"""
