# To be read by fish: source @BIN@/activate.fish

function deactivate --description 'Leave the environment'
    if set -q _old_environment_path
        set -gx PATH $_old_environment_path
        set -e _old_environment_path
    end
    if set -q _old_environment_home
        set -gx PYTHONHOME $_old_environment_home
        set -e _old_environment_home
    end
    if functions -q _old_environment_prompt
        functions -e fish_prompt
        functions -c _old_environment_prompt fish_prompt
        functions -e _old_environment_prompt
    end
    set -e VIRTUAL_ENV
    set -e VIRTUAL_ENV_PROMPT
    if test "$argv[1]" != keep
        functions -e deactivate
    end
end

deactivate keep

set -gx VIRTUAL_ENV (builtin realpath (dirname (status filename))/..)
set -gx VIRTUAL_ENV_PROMPT '@PROMPT@'
set -g _old_environment_path $PATH
set -gx PATH $VIRTUAL_ENV/@BIN@ $PATH
if set -q PYTHONHOME
    set -g _old_environment_home $PYTHONHOME
    set -e PYTHONHOME
end
if test -z "$VIRTUAL_ENV_DISABLE_PROMPT"; and functions -q fish_prompt
    functions -c fish_prompt _old_environment_prompt
    function fish_prompt
        # The prompt shows how the last command ended: printing must not change that.
        set -l last $status
        printf '(%s) ' '@PROMPT@'
        echo "exit $last" | source
        _old_environment_prompt
    end
end
