dict get {__proto__ 1} constructor
regexp {[[:constructor:]]} x
