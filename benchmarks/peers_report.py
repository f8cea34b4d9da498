def console(x): 
    import json; return json.dumps({m:{n:{k:(v if k!='ms' else {a:sorted(sum(b,[]))[len(sum(b,[]))//2] for a,b in v.items()}) for k,v in p.items()} for n,p in y['peers'].items()} for m,y in x['modes'].items()}, indent=1)
