set x a
while 1 {append x $x}
