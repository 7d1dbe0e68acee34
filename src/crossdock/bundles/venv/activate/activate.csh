# To be read by tcsh inside this folder, as tcsh does not say where a file that it reads is: source activate.csh

set _environment = "`cd .. && pwd`"

if (-f "$_environment/pyvenv.cfg") then
    if ($?_old_environment_path) then
        deactivate
    endif
    alias deactivate 'test $?_old_environment_path != 0 && setenv PATH "$_old_environment_path:q" && unset _old_environment_path; test $?_old_environment_home != 0 && setenv PYTHONHOME "$_old_environment_home:q" && unset _old_environment_home; test $?_old_environment_prompt != 0 && set prompt = "$_old_environment_prompt:q" && unset _old_environment_prompt; unsetenv VIRTUAL_ENV; unsetenv VIRTUAL_ENV_PROMPT; rehash; unalias deactivate'
    setenv VIRTUAL_ENV "$_environment"
    setenv VIRTUAL_ENV_PROMPT '@PROMPT@'
    set _old_environment_path = "$PATH:q"
    setenv PATH "$VIRTUAL_ENV/@BIN@:$PATH"
    if ($?PYTHONHOME) then
        set _old_environment_home = "$PYTHONHOME:q"
        unsetenv PYTHONHOME
    endif
    if (! $?VIRTUAL_ENV_DISABLE_PROMPT && $?prompt) then
        set _old_environment_prompt = "$prompt:q"
        set prompt = "(@PROMPT@) $prompt:q"
    endif
    rehash
else
    echo 'Change into the folder @BIN@ of the environment first, then source activate.csh'
endif
unset _environment
