(()=>{const q=document.getElementById('q'),k=document.getElementById('k'),c=document.getElementById('c');
const body=document.querySelector('#t tbody'),rows=[...body.rows];
const show=()=>{const words=q.value.toLowerCase().split(/\s+/).filter(Boolean);let n=0;for(const r of rows){
const t=r.textContent.toLowerCase(),hit=(!k.value||r.dataset.k===k.value)&&words.every(w=>t.includes(w));r.hidden=!hit;n+=hit}
c.textContent=n===rows.length?`${n} targets`:`${n} of ${rows.length} targets`};
q.addEventListener('input',show);k.addEventListener('change',show);show();
let by=-1,down=false;document.querySelectorAll('#t th').forEach((th,i)=>{const sort=()=>{down=by===i&&!down;by=i;
const v=r=>r.cells[i].dataset.v??r.cells[i].textContent;rows.sort((a,b)=>{const x=v(a),y=v(b);
return(isNaN(x)||isNaN(y)||x===''||y===''?x.localeCompare(y):x-y)*(down?-1:1)});rows.forEach(r=>body.append(r))};
th.addEventListener('click',sort);th.addEventListener('keydown',e=>{if(e.key==='Enter')sort()})});
addEventListener('hashchange',()=>{const d=document.querySelector(location.hash);if(d&&d.tagName==='DETAILS')d.open=true});
})();
