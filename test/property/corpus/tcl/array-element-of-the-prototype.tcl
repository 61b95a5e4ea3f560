array set a {__proto__ 1 constructor 2}
set a(toString)
